"""Where a browser gives its key, and forgets it."""
