"""Routes under /batches, and their shapes."""
