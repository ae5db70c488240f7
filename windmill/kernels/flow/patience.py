"""How many failed tries it takes to blame the job and not the service."""

import math

WELL = 0.05
"""A service of which no more first tries fail than this share is well, and a job gets the usual tries."""
CHANCE = 1e-8
"""How likely a good job may be to fail all its tries by the service's fault alone."""
MOST_TRIES = 40
_MEMORY = 500
_BENEFIT_OF_DOUBT = 100


class FailureRate:
    """The share of tries that fail, recent ones counting most. Before there are many the service is taken to be well,
    so that a few bad jobs alone do not make it look ill."""

    def __init__(self) -> None:
        self._failed = 0.0
        self._noted = 0.0

    def note(self, *, failed: bool) -> None:
        """One more first try. Later tries would count a bad job many times."""
        keep = 1 - 1 / _MEMORY
        self._failed = self._failed * keep + failed
        self._noted = self._noted * keep + 1

    @property
    def rate(self) -> float:
        return self._failed / (self._noted + _BENEFIT_OF_DOUBT)


def tries(rate: float, least: int) -> int:
    """After how many failures in a row a job is given up, where tries fail at this rate through no fault of the job."""
    if rate <= WELL:
        return least
    explained = math.ceil(math.log(CHANCE) / math.log(min(rate, 0.999)))
    return max(least, min(explained, MOST_TRIES))
