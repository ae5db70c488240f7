"""Routes under /search and /searches, and their shapes."""
