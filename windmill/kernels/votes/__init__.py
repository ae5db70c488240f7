"""The vote of all services on what an image shows, and its weights fitted. Pure."""
