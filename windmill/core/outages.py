"""Outages of servers outside the process: when to retry, and throttled log lines about them."""

import logging
import random
import time
from collections.abc import Callable

from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.core.log_throttle import Admitted, Throttle
from windmill.kernels.flow.retry_backoff import backoff_delay

logger = logging.getLogger(__name__)

REMIND_SECONDS = 60.0


class Outage:
    """Counts consecutive failures of one dependency. Logs the first, then one line a minute, then the recovery; of a
    flapping dependency only the first few outages a minute, and how many lines were suppressed. Mutable."""

    def __init__(
        self,
        what: str,
        *,
        first: float = 0.5,
        maximum: float = 8.0,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._what = what
        self._first, self._maximum = first, maximum
        self._clock, self._dice = clock, dice
        self._failures = 0
        self._reached = False
        self._since = self._logged_at = 0.0
        self._logged = False
        self._throttle = Throttle(clock=clock)
        self.ended = 0

    @property
    def trouble(self) -> str | None:
        """What is wrong, in a few words; None while the dependency works."""
        if self._failures:
            return f"unavailable for {self._clock() - self._since:.0f} s"
        return None if self._reached else "not reached yet"

    @property
    def lasts(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    def failed(self, error: Exception) -> float:
        """Record a failure; returns the seconds to wait before the next try."""
        now = self._clock()
        self._failures += 1
        if self._failures == 1:
            self._since = self._logged_at = now
            admitted = self._throttle.admit("unavailable")
            self._logged = admitted is not None
            if admitted:
                self._log(error, admitted)
        elif now - self._logged_at >= REMIND_SECONDS:
            self._logged_at, self._logged = now, True
            self._log(error, Admitted())
        return backoff_delay(self._failures, first=self._first, maximum=self._maximum, jitter=0.2, dice=self._dice())

    def _log(self, error: Exception, admitted: Admitted) -> None:
        away = round(self._clock() - self._since)
        is_ours = isinstance(error, WindmillError) and ERROR_CODES[error.code].culprit == "us"
        said = "%s was closed after a bug of Windmill: %s" if is_ours else "%s is unavailable: %s"
        logger.warning(said, self._what, error, extra={"away_seconds": away} | admitted.extra())

    def over(self) -> None:
        """Record a success; cheap enough for every one."""
        if self._failures and self._logged:
            away = round(self._clock() - self._since, 1)
            logger.info("%s is available again", self._what, extra={"away_seconds": away, "failures": self._failures})
        self.ended += self._failures > 0
        self._reached = True
        self._failures = 0
