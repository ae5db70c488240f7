"""What derives from results: reading them, computing rows anew where these are stale, catching up with old images."""
