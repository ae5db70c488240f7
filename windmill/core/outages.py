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
AWAY, IMAGES_AWAY = "is unavailable", "waits for its images"
_OVER = {AWAY: "is available again", IMAGES_AWAY: "has its images again"}


def describe_outage(error: Exception) -> str:
    """What follows the name of a dependency that does not work because of this error. A service is not to blame for a
    share that is not mounted, nor for a bug of ours."""
    if not isinstance(error, WindmillError):
        return AWAY
    if ERROR_CODES[error.code].culprit == "us":
        return "was closed after a bug of Windmill"
    return IMAGES_AWAY if error.code == "IMAGE_NOT_FOUND" else AWAY


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
        self._said = AWAY
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
        self._said = describe_outage(error)
        logger.warning("%s %s: %s", self._what, self._said, error, extra={"away_seconds": away} | admitted.extra())

    def over(self) -> None:
        """Record a success; cheap enough for every one."""
        if self._failures and self._logged:
            away = round(self._clock() - self._since, 1)
            over = _OVER.get(self._said, _OVER[AWAY])
            logger.info("%s %s", self._what, over, extra={"away_seconds": away, "failures": self._failures})
        self.ended += self._failures > 0
        self._reached = True
        self._failures = 0
