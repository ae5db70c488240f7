"""Runs: asking for them, how far they are, and what came of them."""
