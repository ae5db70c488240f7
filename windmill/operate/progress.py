"""How far a long operation has come, for a progress bar or a page."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgressUpdate:
    """`done` counts from the start of this part of the operation; `total` is None where it is not known."""

    part: str
    unit: str
    done: int
    total: int | None = None


OnProgress = Callable[[ProgressUpdate], object]


def ignore_progress(_: ProgressUpdate) -> None:
    """For callers that want the result only."""
