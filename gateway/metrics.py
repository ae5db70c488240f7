"""What the gateway counts of requests: how many by route and status, and their time."""

from collections import Counter
from collections.abc import Iterator

from windmill.core.timings import STEP_SECONDS, Histogram
from windmill.process.gateway_metrics import GATEWAY_REQUESTS, GATEWAY_SECONDS
from windmill.process.metric import Sample

UNKNOWN = "(none)"
"""The route of a request that has none: nobody may fill the memory of Prometheus with paths."""
STREAM = b"text/event-stream"


class RequestCounts:
    """Of this process. Mutable."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[str, Histogram] = {}

    def note(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """A request has ended; a stream has no `seconds` that mean anything."""
        self._requests[route, method, str(status)] += 1
        if seconds is not None:
            self._seconds.setdefault(route, Histogram(STEP_SECONDS)).note(seconds)

    def totals(self) -> tuple[int, int]:
        """How many were answered, and how many failed by our fault."""
        failed = sum(count for (_, _, status), count in self._requests.items() if status >= "500")
        return self._requests.total() - failed, failed

    def samples(self) -> Iterator[Sample]:
        for labels, count in sorted(self._requests.items()):
            yield Sample(GATEWAY_REQUESTS, labels, count)
        for route, histogram in sorted(self._seconds.items()):
            yield Sample(GATEWAY_SECONDS, (route,), histogram)
