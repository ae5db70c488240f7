"""Routes under /runs, and their shapes."""
