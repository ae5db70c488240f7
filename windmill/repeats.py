"""Saying a thing that happens often without a flood: a few times a minute, and then how often it was not said."""

import time
from collections.abc import Callable, Hashable

SECONDS = 60.0
TIMES = 5


class Repeats:
    """Decides for each kind of event whether it is said now."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spans: dict[Hashable, tuple[float, int]] = {}

    def unsaid(self, kind: Hashable) -> int | None:
        """None when this event is not to be said; else how many of its kind were kept back before it."""
        now = self._clock()
        began, seen = self._spans.get(kind, (now, 0))
        if now - began >= SECONDS:
            self._spans[kind] = (now, 1)
            return max(seen - TIMES, 0)
        self._spans[kind] = (began, seen + 1)
        return 0 if seen < TIMES else None
