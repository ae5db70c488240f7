"""Keys of the gateway: made, listed, rotated and revoked."""
