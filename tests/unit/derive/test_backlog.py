"""The metrics of the backlog: queried rarely, and never outdated."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from tests.unit.world import Clock
from tests.waiting import forever
from windmill.core.settings import Settings
from windmill.derive.backlog import backlog_reader, stages_samples
from windmill.process import scraped_rows
from windmill.process.metrics import STALE_MARKS
from windmill.process.scraped_rows import CACHE_SECONDS, ScrapedRows
from windmill.storage.database import Pool

SETTINGS = Settings.from_env({})


class Database:
    """A pool that counts its queries."""

    def __init__(self) -> None:
        self.asked = 0
        self.marks = 5
        self.error: Exception | None = None
        self.hangs = False

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator["Database"]:
        yield self

    async def fetch(self, _: str, __: list[str]) -> list[dict[str, Any]]:
        self.asked += 1
        if self.hangs:
            await forever()
        if self.error:
            raise self.error
        return [{"stage": "merge", "marks": self.marks, "overdue_seconds": None}]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def backlog(clock: Clock) -> ScrapedRows:
    return backlog_reader(SETTINGS, clock=clock)


async def marks(backlog: ScrapedRows, database: Database) -> list[object]:
    samples = await backlog.samples(cast("Pool", database))
    return [sample.value for sample in samples if sample.metric is STALE_MARKS]


async def test_the_database_is_queried_only_at_a_scrape(backlog: ScrapedRows, database: Database) -> None:
    assert database.asked == 0
    assert await marks(backlog, database) == [5]
    assert database.asked == 1


async def test_frequent_scrapes_get_cached_samples_until_these_expire(
    backlog: ScrapedRows, database: Database, clock: Clock
) -> None:
    await marks(backlog, database)
    database.marks = 9
    clock.now += CACHE_SECONDS - 0.1
    assert await marks(backlog, database) == [5]
    assert await asyncio.gather(*(marks(backlog, database) for _ in range(5))) == [[5]] * 5
    clock.now += 0.1
    assert await asyncio.gather(*(marks(backlog, database) for _ in range(5))) == [[9]] * 5
    assert database.asked == 2


@pytest.mark.parametrize("how", ["gone", "hangs"])
async def test_during_a_database_outage_there_are_no_samples_and_no_further_queries(
    how: str, backlog: ScrapedRows, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scraped_rows, "TIMEOUT_SECONDS", 0.05)
    await marks(backlog, database)
    clock.now += CACHE_SECONDS
    database.error, database.hangs = OSError("gone"), how == "hangs"
    assert await marks(backlog, database) == []
    assert await marks(backlog, database) == []
    assert database.asked == 2
    database.error, database.hangs = None, False
    clock.now += CACHE_SECONDS
    assert await marks(backlog, database) == [5]


class Work:
    stage = "merge"

    def __init__(self) -> None:
        self.counts = Counter(looked_at=3, changed=1)


def test_the_counters_of_each_stage_are_read_at_each_scrape() -> None:
    work = Work()
    before = [sample.value for sample in stages_samples([cast("Any", work)])]
    work.counts.update(looked_at=1, changed=1)
    after = [sample.value for sample in stages_samples([cast("Any", work)])]
    assert (before, after) == ([1, 2, 0], [2, 2, 0])
