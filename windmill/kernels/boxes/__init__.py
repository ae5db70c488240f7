"""Boxes of detectors brought together into one for each object, and the constants for it fitted. Pure."""
