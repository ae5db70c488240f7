"""Routes under /sessions, and their shapes."""
