"""The workers: one generic program for every service."""
