"""A stage sleeps until a mark is committed or comes due, whoever wrote it and whenever it began."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.derive import wake_ups
from windmill.derive.wake_ups import WakeUps
from windmill.storage import database
from windmill.storage.database import Pool

pytestmark = pytest.mark.database

MARK = "INSERT INTO stale (stage, image_id) VALUES ($1, 1)"
LATER = "INSERT INTO stale (stage, image_id, due) VALUES ('merge', 1, now() + interval '0.3 s')"
TOLD = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=8) as opened:
        yield opened


@pytest.fixture
async def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def bells(
    pool: Pool, settings: Settings, stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WakeUps]:
    monkeypatch.setattr(wake_ups, "LOOK_SECONDS", 600.0)  # so that only what is told wakes it
    async with WakeUps(pool, settings, ["merge", "consensus"], stop) as opened:
        yield opened


async def asleep(rows: asyncpg.Connection, stages: int = 1) -> None:
    async def are_told() -> bool:
        return bool(await rows.fetchval(TOLD) == stages)

    await until(are_told)


async def test_a_stage_sleeps_until_a_mark_of_its_own_is_committed(fleet: Fleet, bells: WakeUps) -> None:
    sleeper = asyncio.create_task(bells.wait("merge"))
    await asleep(fleet.rows)
    await fleet.rows.execute(MARK, "consensus")
    assert await bells.wait("consensus")
    assert not sleeper.done()
    await fleet.rows.execute(MARK, "merge")
    assert await asyncio.wait_for(sleeper, 30)


async def test_a_mark_that_was_there_before_it_fell_asleep_keeps_it_awake(fleet: Fleet, bells: WakeUps) -> None:
    await fleet.rows.execute(MARK, "merge")
    assert await asyncio.wait_for(bells.wait("merge"), 30)


async def test_a_mark_of_a_transaction_that_began_before_it_fell_asleep_is_not_missed(
    fleet: Fleet, pool: Pool, bells: WakeUps
) -> None:
    async with pool.acquire() as writer, writer.transaction():
        await writer.execute(MARK, "merge")
        assert not await bells.wait("merge")
        assert await fleet.rows.fetchval(TOLD) == 0
    assert await asyncio.wait_for(bells.wait("merge"), 30)


async def test_it_wakes_by_itself_when_a_mark_comes_due(fleet: Fleet, bells: WakeUps) -> None:
    await fleet.rows.execute(LATER)
    assert await asyncio.wait_for(bells.wait("merge"), 30)
    assert await fleet.rows.fetchval("SELECT bool_and(due <= clock_timestamp()) FROM stale")


async def test_a_process_that_sleeps_beside_another_of_its_stage_looks_more_and_more_seldom(
    fleet: Fleet, pool: Pool, settings: Settings, stop: asyncio.Event, bells: WakeUps
) -> None:
    sleeper = asyncio.create_task(bells.wait("merge"))
    await asleep(fleet.rows)
    async with WakeUps(pool, settings, ["merge"], stop) as second:
        loop, naps = asyncio.get_running_loop(), []
        for _ in range(3):
            began = loop.time()
            assert not await second.wait("merge")
            naps.append(loop.time() - began)
        assert naps[2] > 0.15
        await fleet.rows.execute(MARK, "merge")
        assert await asyncio.wait_for(second.wait("merge"), 30)
        assert await asyncio.wait_for(sleeper, 30)


async def test_a_stage_that_always_finds_something_is_not_told_of_more(
    fleet: Fleet, bells: WakeUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = asyncio.create_task(bells.wait("merge"))
    await asleep(fleet.rows)
    await fleet.rows.execute(MARK, "merge")
    assert await sleeper
    monkeypatch.setattr(wake_ups, "BUSY_SECONDS", 0.0)
    assert await bells.wait("merge")
    assert await fleet.rows.fetchval(TOLD) == 0


async def test_the_end_of_the_process_wakes_it(fleet: Fleet, bells: WakeUps, stop: asyncio.Event) -> None:
    sleeper = asyncio.create_task(bells.wait("merge"))
    await asleep(fleet.rows)
    stop.set()
    assert not await asyncio.wait_for(sleeper, 30)


async def test_after_a_lost_connection_it_is_told_again(fleet: Fleet, bells: WakeUps) -> None:
    sleeper = asyncio.create_task(bells.wait("merge"))
    await asleep(fleet.rows)
    await fleet.rows.execute(TOLD.replace("count(*)", "pg_terminate_backend(pid)"))
    assert await asyncio.wait_for(sleeper, 30), "the loss of its connection wakes it"
    again = asyncio.create_task(bells.wait("merge"))
    await asleep(fleet.rows)
    await fleet.rows.execute(MARK, "merge")
    assert await asyncio.wait_for(again, 30)
