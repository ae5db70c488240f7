"""Routes under /users, and their shapes."""
