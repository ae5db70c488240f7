"""Several limits in the same headers, and what a gateway tells of itself among the workers."""

import pytest

from gateway.events.stream import StreamCounts
from gateway.metrics import RequestCounts
from gateway.presence import GatewayPresence
from gateway.rate_limits import RateLimits, join_limits
from windmill.core.errors import WindmillError


def test_a_second_limit_is_told_beside_the_first() -> None:
    told = RateLimits(60).take("a", 0)
    join_limits(told, RateLimits(10, "generate").take("a", 0))
    assert told == {
        "RateLimit-Policy": '"requests";q=60;w=60, "generate";q=10;w=60',
        "RateLimit": '"requests";r=59;t=1, "generate";r=9;t=6',
    }


def test_a_limit_alone_is_told_alone_and_kept() -> None:
    told: dict[str, str] = {}
    limits = RateLimits(1, "generate")
    join_limits(told, limits.take("", 0))
    assert told["RateLimit"] == '"generate";r=0;t=60'
    with pytest.raises(WindmillError) as refused:
        limits.take("", 1)
    assert (refused.value.code, refused.value.retry_after) == ("RATE_LIMIT_EXCEEDED", 59)


def test_a_gateway_tells_of_its_requests_and_its_streams() -> None:
    requests, streams = RequestCounts(), StreamCounts(5)
    presence = GatewayPresence(requests, streams, 5)
    for status in (200, 404, 503):
        requests.note("/jobs", "GET", status, 0.1)
    streams.enter("a")
    assert (presence.counts, presence.in_progress, presence.slots.size) == ({"Stored": 2, "Failed": 1}, 1, 5)
