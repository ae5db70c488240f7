"""The numbers of derived rows: what each stage did, and the open work that the database knows of."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import STAGES, Stage
from windmill.process.metrics import Sample, of_backlog, of_stage
from windmill.storage.database import Pool, converted
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

FRESH_SECONDS = 10.0
PATIENCE_SECONDS = 3.0


class Counted(Protocol):
    """A stage that counts what it does."""

    stage: Stage
    counts: Counter[str]


def of_works(works: Sequence[Counted]) -> list[Sample]:
    return [sample for work in works for sample in of_stage(work.stage, work.counts)]


class BacklogReader:
    """Open work of all stages. The database is asked when somebody wants to know, and then not again for a while."""

    def __init__(self, settings: DatabaseSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._asked = float("-inf")
        self._known: list[Sample] = []
        self._asking = asyncio.Lock()

    async def samples(self, pool: Pool) -> list[Sample]:
        """Nothing while the database is away: old numbers would look like news."""
        async with self._asking:
            if self._clock() - self._asked >= FRESH_SECONDS:
                self._asked = self._clock()
                self._known = await self._ask(pool)
        return self._known

    async def _ask(self, pool: Pool) -> list[Sample]:
        try:
            with converted(self._settings):
                async with asyncio.timeout(PATIENCE_SECONDS), pool.acquire(timeout=PATIENCE_SECONDS) as connection:
                    rows = await connection.fetch(queries()["list_backlog"], list(STAGES))
        except WindmillError as error:
            logger.debug("the backlog is not known", extra={"reason": str(error)})
            return []
        return [sample for row in rows for sample in of_backlog(row["stage"], row["marks"], row["overdue_seconds"])]
