"""Images: registering them, listing them, and their files."""
