"""Routes under /exports, and their shapes."""
