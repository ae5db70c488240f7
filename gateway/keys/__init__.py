"""Routes under /keys, and their shapes."""
