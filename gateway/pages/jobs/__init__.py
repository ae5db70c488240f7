"""Jobs: listed, looked at one by one, and changed, also many at once."""
