"""Searching for images, and what goes with it: facets, similar images, saved searches, exports."""
