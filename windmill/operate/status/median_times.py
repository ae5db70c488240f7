"""What an answer of each service takes: the median of the newest ones. It changes slowly, and costs more to find out
than all else of the status, so whoever asks again and again is told what was found a moment ago."""

import time
from collections.abc import Callable, Mapping

from windmill.storage.database import Connection
from windmill.storage.queries import queries

KNOWN_SECONDS = 30.0


class MedianTimes:
    """What one process knows of them. Mutable."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: Mapping[str, float | None] = {}
        self._read_at = float("-inf")

    async def read(self, connection: Connection) -> Mapping[str, float | None]:
        """Seconds by service."""
        if self._clock() - self._read_at >= KNOWN_SECONDS:
            rows = await connection.fetch(queries()["median_times"])
            self._known, self._read_at = {row["service"]: row["p50"] for row in rows}, self._clock()
        return self._known
