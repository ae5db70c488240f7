"""Log lines that may come in a flood: a few a minute of each kind, and then how many were held back."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

SECONDS = 60.0
TIMES = 5


@dataclass(frozen=True, slots=True)
class Admitted:
    """A line that is to be written, and how many of its kind were held back before it. True, even if none were."""

    suppressed: int = 0

    def extra(self) -> dict[str, int]:
        """What the line says of those, if there were any."""
        return {"suppressed": self.suppressed} if self.suppressed else {}


class Throttle:
    """Decides for each line, by its kind, whether it is written."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spans: dict[Hashable, tuple[float, int]] = {}

    def admit(self, kind: Hashable) -> Admitted | None:
        """None for a line that is held back."""
        now = self._clock()
        began, seen = self._spans.get(kind, (now, 0))
        if now - began >= SECONDS:
            self._spans[kind] = (now, 1)
            return Admitted(max(seen - TIMES, 0))
        self._spans[kind] = (began, seen + 1)
        return Admitted() if seen < TIMES else None
