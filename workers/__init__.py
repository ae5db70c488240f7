"""The worker: one program for every service."""
