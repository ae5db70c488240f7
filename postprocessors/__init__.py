"""The post-processors: recompute the rows derived from results whenever they are stale."""
