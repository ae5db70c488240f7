"""The vote of all services on what an image shows (consensus), and fitting of its weights. Pure."""
