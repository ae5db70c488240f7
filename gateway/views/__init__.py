"""Routes under /views, and their shapes."""
