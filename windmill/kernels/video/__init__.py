"""Decisions about videos: packets, segments, fragments of MP4, playlists, filters. Pure."""
