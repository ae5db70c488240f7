"""Counting the requests and replies of each service."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

OTHER_PATHS = "other"
NO_REPLY = 0
"""The status of a request without a reply, or whose client disconnected."""


@dataclass
class RequestCounts:
    """The counts of one service. A request is counted by route and status when its reply is decided."""

    replies: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    max_in_flight: int = 0
    overlaps: int = 0
    """Requests that began while another one was in flight."""

    @contextmanager
    def request(self) -> Iterator[None]:
        """One request from its arrival until its reply is decided."""
        self.overlaps += self.in_flight > 0
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def replied(self, method: str, route: str, status: int) -> None:
        self.replies[f"{method} {route}", status] += 1

    def reset(self) -> None:
        """Start again from zero; requests in flight stay in flight."""
        self.replies.clear()
        self.faults.clear()
        self.max_in_flight = self.in_flight
        self.overlaps = 0

    def render_json(self) -> dict[str, object]:
        requests: dict[str, dict[str, int]] = {}
        for (route, status), number in sorted(self.replies.items()):
            requests.setdefault(route, {})[str(status)] = number
        return {
            "requests": requests,
            "total": sum(self.replies.values()),
            "faults": dict(sorted(self.faults.items())),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "overlaps": self.overlaps,
        }
