"""Routes under /jobs, and their shapes."""
