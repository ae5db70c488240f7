"""How many answers came in each of the last minutes. A minute that is over is counted once, so asking again costs only
the minutes since; nobody waits for it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MINUTES = 30
ASK_SECONDS = 20.0

Counts = Mapping[tuple[str, int], int]
"""Answers by service and minute since the epoch."""


def last_minutes(counts: Counts, service: str, end: int, minutes: int = MINUTES) -> list[float]:
    """The answers a second of a service in each of the minutes before `end`. Pure."""
    return [counts.get((service, minute), 0) / 60 for minute in range(end - minutes, end)]


class AnswerHistory:
    """The counts of this process. Mutable."""

    def __init__(self, pool: Pool, settings: DatabaseSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._settings, self._clock = pool, settings, clock
        self._counts: dict[tuple[str, int], int] = {}
        self._end = 0
        self._asked = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def rates(self, service: str) -> Sequence[float]:
        """Answers a second in each of the last full minutes, as far as they are known; none before the first look."""
        return last_minutes(self._counts, service, self._end) if self._end else []

    def look(self) -> None:
        """Count what is new, in the background, unless it was done a moment ago."""
        if self._asking or self._clock() - self._asked < ASK_SECONDS:
            return
        self._asked = self._clock()
        self._asking = asyncio.ensure_future(self._count())

    async def close(self) -> None:
        if self._asking:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _count(self) -> None:
        try:
            with contextlib.suppress(WindmillError):
                await self._add()
        finally:
            self._asking = None

    async def _add(self) -> None:
        sql = queries()
        async with transaction(self._pool, self._settings) as connection:
            end = int(await connection.fetchval(sql["current_minute"]))
            first = max(self._end, end - MINUTES)
            rows = await connection.fetch(sql["count_answers_by_minute"], first, end)
        kept = {key: count for key, count in self._counts.items() if key[1] >= end - MINUTES}
        self._counts = kept | {(row["service"], row["minute"]): row["answers"] for row in rows}
        self._end = end
