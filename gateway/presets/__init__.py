"""Routes under /presets, and their shapes."""
