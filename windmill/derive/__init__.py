"""Derived rows: finding stale images, recomputing their rows, backfilling images that are older than a stage."""
