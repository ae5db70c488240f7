"""A delivery to its end: received, handled, written, and only then acknowledged."""
