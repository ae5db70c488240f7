"""Presets: what a user can ask for, as data. Reading and checking them, and working out what a request means."""
