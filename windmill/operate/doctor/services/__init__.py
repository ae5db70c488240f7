"""The services: asked in ask, judged in judge."""
