"""What needs no key: health, the meaning of error codes, and the description of the interface."""
