"""Parsers for headers of media files. Pure."""
