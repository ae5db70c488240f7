"""Routes under /webhooks, and their shapes."""
