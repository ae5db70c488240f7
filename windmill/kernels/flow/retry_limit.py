"""How many retries a job gets: more while its service is unreliable, so that good jobs are not given up."""

import math

HEALTHY_RATE = 0.05
"""A service is healthy while at most this share of first tries fails; its jobs get the usual number of tries."""
FALSE_BLAME_CHANCE = 1e-8
"""The accepted probability that a good job fails all its tries through the service's fault alone."""
MAX_TRIES = 40
_WINDOW = 500
_ASSUMED_SUCCESSES = 100


class FailureRate:
    """A mutable moving average of the share of tries that fail. It starts with assumed successes, so that a few bad
    jobs do not make a service look unhealthy."""

    def __init__(self) -> None:
        self._failed = 0.0
        self._recorded = 0.0

    def note(self, *, failed: bool) -> None:
        """Record a first try. Counting retries too would count one bad job many times."""
        keep = 1 - 1 / _WINDOW
        self._failed = self._failed * keep + failed
        self._recorded = self._recorded * keep + 1

    @property
    def rate(self) -> float:
        return self._failed / (self._recorded + _ASSUMED_SUCCESSES)


def allowed_tries(rate: float, least: int) -> int:
    """The tries a job gets at this failure rate: `least` with a healthy service, else more, up to MAX_TRIES."""
    if rate <= HEALTHY_RATE:
        return least
    explained = math.ceil(math.log(FALSE_BLAME_CHANCE) / math.log(min(rate, 0.999)))
    return max(least, min(explained, MAX_TRIES))
