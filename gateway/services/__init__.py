"""Routes under /services, and their shapes."""
