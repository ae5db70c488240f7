"""The breaker of one service: closed while it answers, open while it is away, half-open while one job tries it.

closed ──trip──► open ──let one job try──► half-open ──answered──► closed
                  ▲                            │
                  └────────────trip────────────┘
"""

import time
from collections.abc import Callable
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage

State = Literal["closed", "open", "half-open"]
MOST_SECONDS = 30.0
MOST_ASKED_SECONDS = 600.0


class Breaker:
    """Whether jobs may go to a service. No job is spent on one that is open."""

    def __init__(self, service: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.state: State = "closed"
        self.reason: WindmillError | None = None
        self._clock = clock
        self._outage = Outage(f"service {service}", first=1.0, most=MOST_SECONDS, clock=clock)
        self._until = 0.0

    def trip(self, error: WindmillError) -> None:
        """The service is away. What was under way when it opened tells nothing new."""
        if self.state == "open":
            return
        self.state = "open"
        self.wait_longer(error)

    def wait_longer(self, error: WindmillError) -> None:
        """It is still away: ask again later than last time, and not before the service wishes."""
        self.reason = error
        asked = min(error.retry_after or 0.0, MOST_ASKED_SECONDS)
        self._until = self._clock() + max(self._outage.failed(error), asked)

    def seconds_left(self) -> float:
        """Until it may be asked again."""
        return max(0.0, self._until - self._clock())

    def let_one_try(self) -> None:
        """A picture of ours was answered: now a job shall be."""
        self.state = "half-open"

    def answered(self) -> None:
        """A job was answered; while open that is one from before, and closes nothing."""
        if self.state == "half-open":
            self.state = "closed"
            self.reason = None
            self._outage.over()
