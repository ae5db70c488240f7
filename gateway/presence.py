"""That a gateway is there: its row in `workers`, beside those of workers of services and steps."""

from collections import Counter
from dataclasses import dataclass

from gateway.events.stream import StreamCounts
from gateway.metrics import RequestCounts
from windmill.core.errors import WindmillError

NAME = "gateway"


@dataclass(frozen=True)
class _Named:
    name: str = NAME


@dataclass(frozen=True)
class _Streams:
    size: int


@dataclass(frozen=True)
class _NoBreaker:
    state: str = "closed"
    reason: WindmillError | None = None


class GatewayPresence:
    """What the heartbeat of a gateway tells: requests are its jobs, those that failed by its fault have failed, and
    streams of events are what is in progress."""

    service = _Named()
    breaker = _NoBreaker()
    adapts_concurrency = False

    def __init__(self, requests: RequestCounts, streams: StreamCounts, most_streams: int) -> None:
        self._requests, self._streams = requests, streams
        self.slots = _Streams(most_streams)

    @property
    def counts(self) -> Counter[str]:
        answered, failed = self._requests.totals()
        return Counter({"Stored": answered, "Failed": failed})

    @property
    def in_progress(self) -> int:
        return self._streams.total
