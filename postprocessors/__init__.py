"""The post-processors: recompute the rows derived from results whenever they are stale."""

import windmill  # noqa: F401 - a Python without the libraries is told so before it meets one
