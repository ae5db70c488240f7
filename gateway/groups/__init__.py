"""Routes under /groups, and their shapes."""
