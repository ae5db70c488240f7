"""Steps on talk: what was said, by whom, and which of the wanted words."""
