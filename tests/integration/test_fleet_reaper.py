"""Processes without steps end what nobody has ended, and wake the workers of steps that nobody serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from deploy.kubernetes.__main__ import STEP_QUERY
from tests.integration.fleet import Fleet
from tests.job_scene import CATALOG, CUT, JobScene
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.fleet_reaper import MOST_TOKENS, FleetReaper
from windmill.jobs.requests import pause_job
from windmill.jobs.step import StepCatalog
from windmill.jobs.step_state import StepState
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.process.heartbeat import Heartbeat, statement_executor
from windmill.process.lifecycle import Program
from windmill.process.runner import background
from windmill.process.step_metrics import STEP_LOST, STEP_WORK
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

STEPS = [step.name for step in CATALOG]


class ReapingScene:
    """Jobs, and a process that reaps them."""

    def __init__(self, pool: database.Pool, settings: Settings, fleet: Fleet) -> None:
        self.jobs = JobScene(pool, settings, fleet.rows)
        self.fleet = fleet
        self.pool = pool
        self.settings = settings
        self.reaper = FleetReaper(Program("test", "test", settings, asyncio.Event()), pool)

    async def claim_and_vanish(self) -> None:
        await self.jobs.claimed()
        await self.jobs.expire_leases()

    async def work_of(self, step: str = "cut") -> dict[str, float]:
        """What the metric says of the step."""
        samples = [one for one in await self.reaper.samples() if one.metric is STEP_WORK]
        return {one.labels[1]: float(str(one.value)) for one in samples if one.labels[0] == step}

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """A worker sends heartbeats for the step `cut` while the block runs."""
        settings = self.jobs.access.settings
        heartbeat = Heartbeat([StepState(CUT)], self.settings, statement_executor(self.pool, settings))
        async with background(heartbeat.run()):
            await until(self._is_served, 30)
            yield

    async def _is_served(self) -> bool:
        return bool(await self.jobs.rows.fetchval("SELECT count(*) FROM workers WHERE service = 'cut'"))


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[ReapingScene]:
    fast = Settings.from_env({**fleet.environ, "TASK_LEASE_SECONDS": "1"})
    async with database.pool(settings, "test") as pool:
        yield ReapingScene(pool, fast, fleet)


@pytest.fixture
async def with_queues(scene: ReapingScene, settings: Settings) -> AsyncIterator[ReapingScene]:
    async with broker.connection(settings, "test") as opened:
        await broker.declare_step_queues(opened, settings, STEPS)
        yield scene
        await broker.delete_step_queues(opened, settings, STEPS)


async def test_what_a_worker_lost_is_claimable_again_and_counted(scene: ReapingScene) -> None:
    await scene.jobs.submit(cut=2)
    await scene.claim_and_vanish()
    await until(scene.reaper.reap, 30)  # the connection has to be older than a lease
    assert (await scene.work_of())["claimable"] == 2
    assert [one.value for one in await scene.reaper.samples() if one.metric is STEP_LOST] == [1]


async def test_a_job_past_its_deadline_expires_and_a_pause_that_is_over_ends(scene: ReapingScene) -> None:
    late = await scene.jobs.submit(deadline=datetime.now(UTC) - timedelta(seconds=1))
    paused = await scene.jobs.submit()
    await scene.jobs.rows.execute("UPDATE jobs SET status = 'paused', paused_until = now() WHERE job_id = $1", paused)
    await scene.reaper.reap()
    assert (await scene.jobs.status(late), await scene.jobs.status(paused)) == ("expired", "queued")


async def test_where_nothing_is_due_nothing_is_reaped(scene: ReapingScene) -> None:
    await scene.jobs.submit(cut=2)
    assert not await scene.jobs.rows.fetchval(queries()["is_reaping_due"])
    assert await scene.reaper.reap() == {}


async def test_of_many_processes_one_takes_each_turn(scene: ReapingScene) -> None:
    async def take(seconds: float) -> bool:
        async with scene.pool.acquire() as connection:
            return bool(await connection.fetchval(queries()["take_turn"], "reap", seconds))

    assert sorted(await asyncio.gather(*(take(60) for _ in range(8)))) == [False] * 7 + [True]
    await scene.jobs.rows.execute("UPDATE turns SET next_at = now()")
    assert await take(60)


async def test_work_is_told_apart_by_what_it_waits_for(scene: ReapingScene) -> None:
    await scene.jobs.submit(cut=5)
    await scene.jobs.claimed()
    failing = await scene.jobs.claimed()
    await scene.jobs.fail(failing, "SERVICE_TIMEOUT")
    await scene.claim_and_vanish()
    found = await scene.work_of()
    assert found == {"claimable": 2, "running": 2, "expired": 2, "put_off": 1, "waiting": 0, "unplanned": 0}


async def test_what_keda_asks_counts_what_can_be_done_and_what_runs(scene: ReapingScene) -> None:
    assert await scene.jobs.rows.fetchval(STEP_QUERY) == 0
    await scene.jobs.submit(cut=5)
    paused = await scene.jobs.submit(cut=7)
    await pause_job(scene.jobs.access, paused, "me")
    await scene.jobs.claimed()
    assert await scene.jobs.rows.fetchval(STEP_QUERY) == 5
    assert await scene.jobs.rows.fetchval(f"{STEP_QUERY} WHERE step = 'join'") == 0


async def test_a_job_that_nobody_has_planned_is_work_for_its_step(scene: ReapingScene) -> None:
    blind = JobAccess(scene.pool, scene.jobs.access.settings, StepCatalog([]))
    await submit_job(blind, NewJob("test", (NewStep("cut", 1),), {"cut": 3}))
    found = await scene.work_of()
    assert (found["claimable"], found["unplanned"]) == (0, 1)


@pytest.mark.broker
async def test_steps_that_nobody_serves_get_their_tokens_once(with_queues: ReapingScene) -> None:
    await with_queues.jobs.submit(cut=3)
    await with_queues.reaper.top_up()
    await with_queues.reaper.top_up()
    assert await with_queues.fleet.depth("cut") == 3


@pytest.mark.broker
async def test_a_queue_that_does_not_exist_is_declared(scene: ReapingScene, settings: Settings) -> None:
    await scene.jobs.submit(cut=1)
    await scene.reaper.top_up()
    assert await scene.fleet.depth("cut") == 1
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, STEPS)


@pytest.mark.broker
async def test_steps_with_a_living_worker_are_left_to_it_until_it_stops(with_queues: ReapingScene) -> None:
    await with_queues.jobs.submit(cut=3)
    async with with_queues.served():
        await with_queues.reaper.top_up()
        assert await with_queues.fleet.depth("cut") == 0
    await with_queues.reaper.top_up()
    assert await with_queues.fleet.depth("cut") == 3


@pytest.mark.broker
async def test_a_worker_that_fell_silent_serves_nothing(with_queues: ReapingScene) -> None:
    await with_queues.jobs.submit(cut=3)
    async with with_queues.served():
        await with_queues.jobs.rows.execute("UPDATE workers SET heartbeat_at = now() - interval '1 hour'")
        await with_queues.reaper.top_up()
        assert await with_queues.fleet.depth("cut") == 3


@pytest.mark.broker
async def test_tokens_for_nobody_are_few(with_queues: ReapingScene) -> None:
    await with_queues.jobs.submit(cut=MOST_TOKENS + 50)
    await with_queues.reaper.top_up()
    assert await with_queues.fleet.depth("cut") == MOST_TOKENS
