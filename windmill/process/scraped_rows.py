"""Metrics that are read from the database: queried at a scrape, and cached for some seconds."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.process.metric import Sample
from windmill.storage.database import Pool, translate_errors

logger = logging.getLogger(__name__)

CACHE_SECONDS = 10.0
TIMEOUT_SECONDS = 3.0

SamplesOfRow = Callable[[Any], Iterable[Sample]]
"""Of a record of the driver, which only windmill.storage.database knows."""


class ScrapedRows:
    """The samples of the rows that a statement finds."""

    def __init__(
        self,
        settings: DatabaseSettings,
        statement: str,
        samples_of: SamplesOfRow,
        *given: object,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._statement, self._given = statement, given
        self._samples_of = samples_of
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
                    rows = await connection.fetch(self._statement, *self._given)
        except WindmillError as error:
            logger.debug("a metric cannot be read", extra={"reason": str(error)})
            return []
        return [sample for row in rows for sample in self._samples_of(row)]
