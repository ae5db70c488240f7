"""The worker: one program for every service."""

import windmill  # noqa: F401 - a Python without the libraries is told so before it meets one
