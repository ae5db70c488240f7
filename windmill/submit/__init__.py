"""Registering images and publishing their jobs, as a library: no command line, no progress bar, no printing."""
