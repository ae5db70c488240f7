"""The pages under /ui/: what people look at. They are made on the server, ask the same things as the routes that
answer JSON, and work without scripts."""
