"""What is shown of jobs."""

from typing import Any

Shown = dict[str, Any]
"""A job, a step, an event or a file as JSON: a value for each column."""
