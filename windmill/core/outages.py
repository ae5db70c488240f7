"""Something outside the process that is away for a while: when to try again, and what to say of it without a flood."""

import logging
import random
import time
from collections.abc import Callable

from windmill.core.errors import KINDS, WindmillError
from windmill.core.throttle import Admitted, Throttle
from windmill.kernels.flow.backoff import delay_for

logger = logging.getLogger(__name__)

REMIND_SECONDS = 60.0


class Outage:
    """Counts failures in a row of one thing; logs the first, then one line a minute, then the return. Of a thing that
    comes and goes the first few outages of a minute are told, and then how many were not."""

    def __init__(
        self,
        what: str,
        *,
        first: float = 0.5,
        most: float = 8.0,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._what = what
        self._first, self._most = first, most
        self._clock, self._dice = clock, dice
        self._failures = 0
        self._reached = False
        self._since = self._said = 0.0
        self._told = False
        self._throttle = Throttle(clock=clock)
        self.ended = 0

    @property
    def trouble(self) -> str | None:
        """What is wrong, in a few words; None while it works."""
        if self._failures:
            return f"away for {self._clock() - self._since:.0f} s"
        return None if self._reached else "not reached yet"

    @property
    def lasts(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    def failed(self, error: Exception) -> float:
        """Note one more failure; returns the seconds to wait before the next try."""
        now = self._clock()
        self._failures += 1
        if self._failures == 1:
            self._since = self._said = now
            admitted = self._throttle.admit("away")
            self._told = admitted is not None
            if admitted:
                self._tell(error, admitted)
        elif now - self._said >= REMIND_SECONDS:
            self._said, self._told = now, True
            self._tell(error, Admitted())
        return delay_for(self._failures, first=self._first, most=self._most, spread=0.2, dice=self._dice())

    def _tell(self, error: Exception, admitted: Admitted) -> None:
        away = round(self._clock() - self._since)
        ours = isinstance(error, WindmillError) and KINDS[error.code].culprit == "us"
        said = "%s is left after a fault of ours: %s" if ours else "%s is away: %s"
        logger.warning(said, self._what, error, extra={"away_seconds": away} | admitted.extra())

    def over(self) -> None:
        """Note that it works; cheap to call after every success."""
        if self._failures and self._told:
            away = round(self._clock() - self._since, 1)
            logger.info("%s is back", self._what, extra={"away_seconds": away, "failures": self._failures})
        self.ended += self._failures > 0
        self._reached = True
        self._failures = 0
