"""Routes under /artifacts, and their shapes."""
