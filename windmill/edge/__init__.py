"""Consuming jobs: each delivery is received, handled, written or republished, and only then acknowledged."""
