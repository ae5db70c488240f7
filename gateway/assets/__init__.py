"""Routes under /assets, and their shapes."""
