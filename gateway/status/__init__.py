"""Routes under /status, and their shapes."""
