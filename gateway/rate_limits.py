"""How many requests a key may make: a bucket that holds a minute's worth, and fills evenly. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from windmill.core.errors import WindmillError

MOST = 10_000


@dataclass
class _Bucket:
    left: float
    at: float


class RateLimits:
    """The buckets of this process, by key. Mutable."""

    def __init__(self, per_minute: int, name: str = "requests") -> None:
        self._per_minute, self._name = per_minute, name
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key: str, now: float, per_minute: int | None = None) -> dict[str, str]:
        """Count a request; the headers that tell what is left. Raises RATE_LIMIT_EXCEEDED."""
        most = per_minute or self._per_minute
        bucket = self._bucket(key, now, most)
        bucket.left, bucket.at = min(most, bucket.left + (now - bucket.at) * most / 60), now
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) * 60 / most)
            said = f"more than {most:,} requests in a minute"
            raise WindmillError("RATE_LIMIT_EXCEEDED", said, retry_after=wait)
        bucket.left -= 1
        return limit_headers(most, bucket.left, self._name)

    def _bucket(self, key: str, now: float, most: int) -> _Bucket:
        if key not in self._buckets and len(self._buckets) >= MOST:
            self._buckets.clear()
        return self._buckets.setdefault(key, _Bucket(most, now))


def limit_headers(most: int, left: float, name: str = "requests") -> dict[str, str]:
    """As the draft of the RateLimit headers has them: the policy, what is left, and when all is there again."""
    full = math.ceil((most - left) * 60 / most)
    return {"RateLimit-Policy": f'"{name}";q={most};w=60', "RateLimit": f'"{name}";r={int(left)};t={full}'}


def quota_headers(most: int, used: int, name: str) -> dict[str, str]:
    """The same of a limit that is not given back in time."""
    return {"RateLimit-Policy": f'"{name}";q={most}', "RateLimit": f'"{name}";r={max(most - used, 0)}'}


def join_limits(told: dict[str, str], more: Mapping[str, str]) -> None:
    """Tell of a further limit in the same headers."""
    for name, value in more.items():
        told[name] = f"{told[name]}, {value}" if name in told else value
