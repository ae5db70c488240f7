"""The post-processors: what derives from results is computed again whenever it is stale."""
