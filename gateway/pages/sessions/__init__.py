"""Sessions of talk: heard, read, and claimed."""
