"""Which task starts next: principals share, priority wins for a while, and a change holds from the next claim."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest

from tests.chaos.telling import tell
from tests.e2e.worker_scene import WorkerScene, worker_scene
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.jobs.requests import PRIORITIES, cancel_job, change_priority
from windmill.jobs.submitting import NewStep

pytestmark = [pytest.mark.database, pytest.mark.broker]

SLOTS = 4
"""Of the two workers together."""
WAIT = NewStep("wait", 1, cost=1.0)
HEAD_START = 2
STARTED = "SELECT job_id FROM tasks WHERE claimed_at > $1 ORDER BY claimed_at"
QUEUED = "SELECT count(*) FROM tasks WHERE status = 'queued' AND principal = $1"
Capsys = pytest.CaptureFixture[str]


class OrderScene(WorkerScene):
    """Two workers whose slots are all taken until `go`, so that all that is submitted meanwhile is there at once."""

    async def occupied(self, principal: str, more: int) -> None:
        """Somebody has all slots, and so many tasks that wait."""
        for _ in range(2):
            await self.worker("wait")
        await self.submit(WAIT, shards=SLOTS + more, principal=principal)
        await self.started(SLOTS)

    async def others_before(self, job: int) -> list[int]:
        """How many tasks of others started before each task of this job, since it was submitted."""
        rows = await self.jobs.rows.fetch(STARTED, (await self.jobs.job(job))["created_at"])
        before, others = [], 0
        for row in rows:
            if row["job_id"] == job:
                before.append(others)
            else:
                others += 1
        return before

    async def must_share(self, job: int, tasks: int) -> list[int]:
        """The k-th task of one of two principals starts after at most 2k and the slots others, and not all at once."""
        await self.becomes(job, "succeeded")
        before = await self.others_before(job)
        assert len(before) == tasks
        assert all(others <= 2 * k + SLOTS for k, others in enumerate(before, 1)), before
        assert before[-1] >= tasks // 2, before
        return before


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[OrderScene]:
    async with worker_scene(fleet, settings) as opened:
        yield OrderScene(opened.fleet, opened.jobs, opened.folder)


async def test_a_newcomer_shares_with_a_backlog_and_a_changed_priority_holds_from_the_next_claim(
    scene: OrderScene, capsys: Capsys
) -> None:
    await scene.occupied("big", more=60)
    small = await scene.submit(WAIT, shards=8, principal="small")
    late = await scene.submit(WAIT, shards=2, principal="big")
    await change_priority(scene.jobs.access, late, PRIORITIES[-1])
    changed: datetime = await scene.jobs.rows.fetchval("SELECT clock_timestamp()")
    scene.go()
    before = await scene.must_share(small, 8)
    tell(capsys, f"others before the tasks of a newcomer behind 60, at {SLOTS} slots: {before}")
    first = [row["job_id"] for row in await scene.jobs.rows.fetch(STARTED, changed)][:2]
    assert first == [late, late]


@pytest.mark.slow(reason="25 s: plans and cancels 100,000 tasks")
@pytest.mark.timeout(300)
async def test_who_has_cancelled_a_hundred_thousand_tasks_starts_as_a_newcomer_would(
    scene: OrderScene, capsys: Capsys
) -> None:
    await scene.occupied("other", more=60)
    backlog = await scene.submit(WAIT, shards=100_000, principal="big")

    async def is_planned() -> bool:
        return bool(await scene.jobs.rows.fetchval(QUEUED, "big") == 100_000)

    await until(is_planned, 200, scene.fleet.logs)
    began = time.monotonic()
    await cancel_job(scene.jobs.access, backlog, "me")
    seconds = time.monotonic() - began
    again = await scene.submit(WAIT, shards=8, principal="big")
    scene.go()
    before = await scene.must_share(again, 8)
    tell(
        capsys, f"100,000 tasks cancelled in {seconds:.1f} s; others before the next tasks of that principal: {before}"
    )


@pytest.mark.slow(reason="6 s: two workers are started")
async def test_the_lowest_priority_under_endless_high_ones_starts_within_the_head_start(
    scene: OrderScene, settings: Settings, capsys: Capsys
) -> None:
    short = replace(settings, priority_head_start_seconds=HEAD_START)
    scene.jobs.access = replace(scene.jobs.access, settings=short)
    await scene.occupied("high", more=0)
    low = await scene.submit(WAIT, priority=PRIORITIES[0], principal="low")
    await scene.submit(WAIT, shards=40, priority=PRIORITIES[-1], principal="high")  # there before a slot is free
    scene.go()
    async with asyncio.timeout(60):
        while await scene.jobs.status(low) == "queued":
            if await scene.jobs.rows.fetchval(QUEUED, "high") < 40:
                await scene.submit(WAIT, shards=40, priority=PRIORITIES[-1], principal="high")
    await scene.becomes(low, "succeeded")
    [others] = await scene.others_before(low)
    most = HEAD_START * (PRIORITIES[-1] - PRIORITIES[0])
    tell(capsys, f"{others} tasks of the highest priority, of 1 s each, before one of the lowest; head start {most} s")
    assert most / 2 <= others <= most + SLOTS
