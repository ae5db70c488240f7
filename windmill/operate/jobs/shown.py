"""What is shown of jobs."""

from dataclasses import dataclass
from typing import Any

Shown = dict[str, Any]
"""A job, a step, an event or a file as JSON: a value for each column."""


@dataclass
class Removed:
    """How much was deleted."""

    jobs: int = 0
    files: int = 0
