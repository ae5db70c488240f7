"""Images: found, and looked at one by one."""
