"""Routes under /images, and their shapes."""
