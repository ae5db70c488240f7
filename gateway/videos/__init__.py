"""Videos that jobs make, while they are made."""
