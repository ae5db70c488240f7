"""How many calls at a time a service bears, found from how long its answers take."""

from statistics import median

WINDOW = 20
"""Answers to judge by, at least; a window is longer where the limit is higher."""
FIRST_PROBE, MOST_BETWEEN_PROBES = 2, 32
"""Windows between two probes: doubling from the first to the most, while nothing changes much."""
HOLD = 30
"""Windows without growth after the service said that it had too much."""


class LatencyLimit:
    """A limit on calls at a time that follows the service, by one rule for each window of answers.

    1. Unhurried latency is the mean with fewer than half the calls under way; a short probe looks at it now and then.
    2. limit * unhurried / latency is how many calls the service really works on; the others wait inside it.
    3. The limit goes to that number and room to grow, 1 and a fifth of itself: for k servers to about 1.25 k + 1.
    4. Only answers to calls that began with the limit used up count: few jobs say nothing about the service.
    5. A refusal halves the limit at once, and it does not grow again for a while.
    """

    def __init__(self, *, first: int = 2, most: int = 64) -> None:
        self._most = max(most, 1)
        self.limit = min(max(first, 1), self._most)
        self._unhurried: float | None = None
        self._before_probe: int | None = None
        self._between_probes = FIRST_PROBE
        self._until_probe = 1
        self._hold = 0
        self._forgiven = 0
        self._window: list[float] = []
        self._used_up = False

    def answered(self, seconds: float, in_flight: int) -> None:
        """A good answer took so long; `in_flight` calls, itself among them, were under way when it started."""
        self._forgiven = max(self._forgiven - 1, 0)
        if not self._counts(in_flight):
            return
        self._used_up |= in_flight == self.limit
        self._window.append(seconds)
        if len(self._window) >= max(self.limit, WINDOW):
            self._judge(_typical(self._window))

    def overloaded(self) -> None:
        """The service refused, or did not answer in time."""
        if self._forgiven:
            self._forgiven -= 1
            return
        usual = self._before_probe or self.limit
        # The calls that are under way beside this one were made under the old limit: one burst halves once.
        self._forgiven = usual - 1
        self._hold = HOLD
        self._before_probe = None
        self._move_to(usual // 2)

    def _counts(self, in_flight: int) -> bool:
        """Whether a call began under the limit of today, and nearly used it up.

        Nearly: of calls that end together, as those of a batch do, only the last to be replaced sees the limit reached.
        """
        return in_flight <= self.limit and (self._before_probe is not None or in_flight >= 0.75 * self.limit)

    def _judge(self, latency: float) -> None:
        if self._before_probe is not None:
            self._end_probe(latency, self._before_probe)
            return
        self._until_probe -= 1
        self._hold = max(self._hold - 1, 0)
        self._move_to(self._fitting(latency))
        if self._until_probe <= 0:
            self._before_probe = self.limit
            self._move_to((self.limit - 1) // 2)

    def _fitting(self, latency: float) -> int:
        """The limit that the last window speaks for."""
        if self._unhurried is None:
            return self.limit
        if latency < 0.8 * self._unhurried:
            self._probe_soon()  # faster servers than the last probe saw
        served = self.limit * min(self._unhurried / max(latency, 1e-9), 1.0)
        target = int(served + 1 + self.limit / 5)
        if target > self.limit:
            return target if self._used_up and not self._hold else self.limit
        if target < 0.6 * self.limit:
            self._probe_soon()  # fewer servers, or slower ones
        return (self.limit + target) // 2  # half-way: one window may be wrong

    def _probe_soon(self) -> None:
        self._until_probe, self._between_probes = 0, FIRST_PROBE

    def _end_probe(self, latency: float, usual: int) -> None:
        before = self._unhurried or latency
        much_changed = not before / 1.5 < latency < before * 1.5
        self._unhurried = (before + latency) / 2
        self._between_probes = FIRST_PROBE if much_changed else min(2 * self._between_probes, MOST_BETWEEN_PROBES)
        self._until_probe = self._between_probes
        self._before_probe = None
        self._move_to(usual)

    def _move_to(self, limit: int) -> None:
        """Begin a new window, under this limit."""
        self.limit = min(max(limit, 1), self._most)
        self._window = []
        self._used_up = False


def _typical(latencies: list[float]) -> float:
    """Their mean, in which none counts for more than three medians.

    A mean, because calls at a time are throughput times *mean* latency; where calls end in bunches, the median
    does not see those that waited for the second round.
    """
    most = 3 * median(latencies)
    return sum(min(latency, most) for latency in latencies) / len(latencies)
