"""Routes under /failed, and their shapes."""
