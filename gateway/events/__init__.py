"""Live events over server-sent events, of one job and of all."""
