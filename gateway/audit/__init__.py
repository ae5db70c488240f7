"""Routes under /audit, and their shapes."""
