"""Metrics of post-processing: what each stage did, and the backlog of stale marks in the database."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import STAGES, Stage
from windmill.process.metrics import Sample, backlog_samples, stage_samples
from windmill.storage.database import Pool, translate_errors
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

CACHE_SECONDS = 10.0
TIMEOUT_SECONDS = 3.0


class CountingStage(Protocol):
    """A stage with its counters."""

    stage: Stage
    counts: Counter[str]


def stages_samples(stages: Sequence[CountingStage]) -> list[Sample]:
    return [sample for one in stages for sample in stage_samples(one.stage, one.counts)]


class BacklogReader:
    """The backlog of all stages; queried at a scrape and cached for some seconds."""

    def __init__(self, settings: DatabaseSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._queried_at = float("-inf")
        self._cached: list[Sample] = []
        self._querying = asyncio.Lock()

    async def samples(self, pool: Pool) -> list[Sample]:
        """Empty while the database is away: cached numbers would look current."""
        async with self._querying:
            if self._clock() - self._queried_at >= CACHE_SECONDS:
                self._queried_at = self._clock()
                self._cached = await self._query(pool)
        return self._cached

    async def _query(self, pool: Pool) -> list[Sample]:
        try:
            with translate_errors(self._settings):
                async with asyncio.timeout(TIMEOUT_SECONDS), pool.acquire(timeout=TIMEOUT_SECONDS) as connection:
                    rows = await connection.fetch(queries()["list_backlog"], list(STAGES))
        except WindmillError as error:
            logger.debug("the backlog cannot be read", extra={"reason": str(error)})
            return []
        return [
            sample for row in rows for sample in backlog_samples(row["stage"], row["marks"], row["overdue_seconds"])
        ]
