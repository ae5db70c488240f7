"""What bytes of media declare of themselves. Pure."""
