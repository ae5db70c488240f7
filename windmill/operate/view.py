"""What a command that only looks prints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class View:
    """The same as JSON and as text; `notes` go to standard error."""

    document: Any
    text: str
    notes: Sequence[str] = field(default=())
    exit_code: int = 0
