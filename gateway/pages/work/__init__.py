"""A service on its page; and pausing services, steps and everything."""
