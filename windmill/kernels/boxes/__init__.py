"""Merging the boxes of several detectors into one per object, and fitting the constants for it. Pure."""
