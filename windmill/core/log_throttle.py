"""Throttling of log lines: a few a minute of each kind, and then how many were suppressed."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

SECONDS = 60.0
TIMES = 5


@dataclass(frozen=True, slots=True)
class Admitted:
    """A line to write, and how many of its kind were suppressed before it. Always truthy."""

    suppressed: int = 0

    def extra(self) -> dict[str, int]:
        """The log fields for the suppressed lines, if there were any."""
        return {"suppressed": self.suppressed} if self.suppressed else {}


class Throttle:
    """Decides for each line, by its kind, whether to write it. Mutable."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spans: dict[Hashable, tuple[float, int]] = {}

    def admit(self, kind: Hashable) -> Admitted | None:
        """None for a line to suppress."""
        now = self._clock()
        began, seen = self._spans.get(kind, (now, 0))
        if now - began >= SECONDS:
            self._spans[kind] = (now, 1)
            return Admitted(max(seen - TIMES, 0))
        self._spans[kind] = (began, seen + 1)
        return Admitted() if seen < TIMES else None
