"""Many jobs that are asked for at once."""
