"""Adaptive concurrency: find how many calls at a time a service can handle from the latency of its answers."""

from statistics import median

WINDOW = 20
"""The minimum number of answers per window; the window grows with the limit."""
FIRST_PROBE, MAX_BETWEEN_PROBES = 2, 32
"""Windows between two probes: doubles from the first to the maximum while little changes."""
HOLD = 30
"""Windows without growth after the service reported overload."""


class AdaptiveConcurrencyLimit:
    """A mutable limit on calls in flight. It has no clock: callers report latencies and overloads, and read `limit`.

    1. Base latency is the mean latency with fewer than half the calls in flight; a short probe measures it regularly.
    2. limit * base / latency is how many calls the service really works on; the others wait in its queue.
    3. The limit moves to that number plus room to grow (1 + limit / 5): for k servers to about 1.25 k + 1.
    4. Only calls that started with the limit used up count: light load says nothing about the service.
    5. An overload halves the limit at once and stops growth for a while.
    """

    def __init__(self, *, first: int = 2, maximum: int = 64) -> None:
        self._maximum = max(maximum, 1)
        self.limit = min(max(first, 1), self._maximum)
        self._base_latency: float | None = None
        self._before_probe: int | None = None
        self._between_probes = FIRST_PROBE
        self._until_probe = 1
        self._hold = 0
        self._forgiven = 0
        self._window: list[float] = []
        self._used_up = False

    def answered(self, seconds: float, in_flight: int) -> None:
        """Record a successful call; `in_flight` counts the calls in flight when it started, itself included."""
        self._forgiven = max(self._forgiven - 1, 0)
        if not self._counts(in_flight):
            return
        self._used_up |= in_flight == self.limit
        self._window.append(seconds)
        if len(self._window) >= max(self.limit, WINDOW):
            self._end_window(_trimmed_mean(self._window))

    def overloaded(self) -> None:
        """Record that the service refused a call or timed out."""
        if self._forgiven:
            self._forgiven -= 1
            return
        usual = self._before_probe or self.limit
        # The other calls in flight started under the old limit: one burst halves the limit once.
        self._forgiven = usual - 1
        self._hold = HOLD
        self._before_probe = None
        self._move_to(usual // 2)

    def _counts(self, in_flight: int) -> bool:
        """Whether a call started under the current limit and nearly used it up.

        Nearly: when calls end together, as in a batch, only the last one to be replaced sees the limit reached.
        """
        return in_flight <= self.limit and (self._before_probe is not None or in_flight >= 0.75 * self.limit)

    def _end_window(self, latency: float) -> None:
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
        """The limit that fits the last window."""
        if self._base_latency is None:
            return self.limit
        if latency < 0.8 * self._base_latency:
            self._probe_soon()  # faster servers than the last probe saw
        served = self.limit * min(self._base_latency / max(latency, 1e-9), 1.0)
        target = int(served + 1 + self.limit / 5)
        if target > self.limit:
            return target if self._used_up and not self._hold else self.limit
        if target < 0.6 * self.limit:
            self._probe_soon()  # fewer servers, or slower ones
        return (self.limit + target) // 2  # half-way, because one window may mislead

    def _probe_soon(self) -> None:
        self._until_probe, self._between_probes = 0, FIRST_PROBE

    def _end_probe(self, latency: float, usual: int) -> None:
        before = self._base_latency or latency
        changed_much = not before / 1.5 < latency < before * 1.5
        self._base_latency = (before + latency) / 2
        self._between_probes = FIRST_PROBE if changed_much else min(2 * self._between_probes, MAX_BETWEEN_PROBES)
        self._until_probe = self._between_probes
        self._before_probe = None
        self._move_to(usual)

    def _move_to(self, limit: int) -> None:
        """Start a new window under this limit."""
        self.limit = min(max(limit, 1), self._maximum)
        self._window = []
        self._used_up = False


def _trimmed_mean(latencies: list[float]) -> float:
    """The mean, with each latency capped at three medians.

    The mean, because concurrency is throughput times *mean* latency (Little's law); where calls end in bunches, the
    median misses those that waited for the second round.
    """
    cap = 3 * median(latencies)
    return sum(min(latency, cap) for latency in latencies) / len(latencies)
