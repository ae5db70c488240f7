"""The circuit breaker of one service: closed while it answers, open during an outage, half-open while one job tries it.

closed ──trip──► open ──half_open──► half-open ──answered──► closed
                  ▲                      │
                  └─────────trip─────────┘
"""

import time
from collections.abc import Callable
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage

State = Literal["closed", "open", "half-open"]
MAX_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 600.0
MIN_CHECK_SECONDS = 0.25
CHECK_SHARE = 0.25
"""A service that could not be reached is checked again after this share of the time that it has been away: a connection
that is refused costs next to nothing, and a service that flaps may soon be away again."""


class CircuitBreaker:
    """Decides whether jobs may go to a service: none while it is open."""

    def __init__(self, service: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.state: State = "closed"
        self.reason: WindmillError | None = None
        self._clock = clock
        self._outage = Outage(f"service {service}", first=1.0, maximum=MAX_SECONDS, clock=clock)
        self._opened_at = 0.0
        self._patient_until = 0.0
        self._until = 0.0

    def trip(self, error: WindmillError) -> None:
        """Open the breaker. Failures of calls that were in flight when it opened change nothing."""
        if self.state == "open":
            return
        self.state = "open"
        self._opened_at = self._patient_until = self._clock()
        self.prolong(error)

    def prolong(self, error: WindmillError) -> None:
        """The outage lasts: back off, and respect the Retry-After of the service. Frequent checks whether it can be
        reached do not make the back-off grow."""
        self.reason = error
        now = self._clock()
        if error.reached or now >= self._patient_until:
            retry_after = min(error.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
            self._patient_until = now + max(self._outage.failed(error), retry_after)
        check = now + max((now - self._opened_at) * CHECK_SHARE, MIN_CHECK_SECONDS)
        self._until = self._patient_until if error.reached else min(self._patient_until, check)

    def seconds_left(self) -> float:
        """Seconds until the next probe is due."""
        return max(0.0, self._until - self._clock())

    def half_open(self) -> None:
        """A probe succeeded: let one job through."""
        self.state = "half-open"

    def answered(self) -> None:
        """Close the breaker if a job succeeded while half-open; while open that was a job from before the outage."""
        if self.state == "half-open":
            self.state = "closed"
            self.reason = None
            self._outage.over()
