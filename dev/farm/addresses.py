"""Where the farm listens unless it is told otherwise."""

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 7700
"""Of the control port."""
