"""How many dead letters are taken, and how fast."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from windmill import broker
from windmill.process.runner import pause

HELD_SECONDS = 60
"""How long a slow redrive may hold messages: RabbitMQ closes a consumer that holds one for half an hour."""


@dataclass
class JobLimit:
    """How many more jobs may be taken; None sets no limit."""

    left: int | None

    def reached(self) -> bool:
        return self.left == 0

    def take(self) -> None:
        if self.left is not None:
            self.left -= 1


class RateLimit:
    """At most `rate` a second; None does not wait."""

    def __init__(self, rate: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most_held = rate * HELD_SECONDS if rate else broker.MAX_UNACKNOWLEDGED
        self._gap = 1 / rate if rate else 0.0
        self._clock = clock
        self._next = clock()

    async def wait(self, stop: asyncio.Event) -> None:
        early = self._next - self._clock()
        if early > 0:
            await pause(stop, early)
        self._next = max(self._next, self._clock()) + self._gap
