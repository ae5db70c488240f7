"""Jobs over a real PostgreSQL: steps, claims, planning, turns and events."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import STREAM, JobScene
from windmill.core.settings import Settings
from windmill.jobs.outcomes import TaskWaits
from windmill.jobs.reaping import plan_further, reap
from windmill.jobs.requests import cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.jobs.waking import wake_task
from windmill.storage import database

pytestmark = pytest.mark.database


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=16) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def test_a_job_goes_through_its_steps_and_succeeds(jobs: JobScene) -> None:
    job = await jobs.submit(cut=3)
    assert await jobs.status(job) == "queued"
    assert await jobs.run_step("cut") == 3
    assert await jobs.status(job) == "running"
    assert await jobs.run_step("join") == 1
    row = await jobs.job(job)
    assert (row["status"], row["progress"], row["ended_at"] is not None) == ("succeeded", 1, True)
    assert await jobs.step_statuses(job) == ["succeeded", "succeeded"]


async def test_a_step_plans_from_what_the_step_before_has_made(jobs: JobScene) -> None:
    await jobs.submit(cut=1)
    await jobs.succeed(await jobs.claimed(), pictures=7)
    joined = await jobs.claimed("join")
    assert joined.input == {"number": 0}
    streamed = (await submit_job(jobs.access, NewJob("test", STREAM, {"cut": 1, "join": 1}))).change
    await jobs.succeed(await jobs.claimed(), pictures=8)
    assert streamed.new_tasks == {"cut": 1}
    assert (await jobs.claimed("draw")).input == {"from": {"pictures": 8}}


async def test_tasks_that_end_at_once_start_the_next_step_once(jobs: JobScene) -> None:
    job = await jobs.submit(cut=16)
    tasks = [await jobs.claimed() for _ in range(16)]
    await asyncio.gather(*(jobs.succeed(task) for task in tasks))
    assert (await jobs.events(job)).count("step_started") == 2
    assert await jobs.run_step("join") == 1
    assert await jobs.status(job) == "succeeded"


async def test_a_claim_that_was_ended_cannot_be_ended_again(jobs: JobScene) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    assert await jobs.succeed(task)
    assert await jobs.fail(task) is None
    assert (await jobs.tasks(job))[0, 0] == "succeeded"


async def test_processes_that_claim_at_once_get_different_tasks(jobs: JobScene) -> None:
    await jobs.submit(cut=12)
    claimed = await asyncio.gather(*(jobs.claim() for _ in range(16)))
    shards = [task.shard for task in claimed if task]
    assert sorted(shards) == [*range(12)]


async def test_a_step_of_more_than_a_piece_is_planned_piece_by_piece(jobs: JobScene) -> None:
    submitted = await submit_job(jobs.access, NewJob("test", (NewStep("cut", 1),), {"cut": 2_500}))
    job = submitted.change.job_id
    assert submitted.change.unplanned
    assert len(await jobs.tasks(job)) == 1_000
    assert await plan_further(jobs.access, job) == {"cut": 1_500}
    assert len(await jobs.tasks(job)) == 2_500


async def test_a_planner_that_was_killed_is_taken_over_by_the_reaper(jobs: JobScene) -> None:
    job = (await submit_job(jobs.access, NewJob("test", (NewStep("cut", 1),), {"cut": 1_001}))).change.job_id
    assert await reap(jobs.access, grace_seconds=0) == {"cut": 1}
    assert len(await jobs.tasks(job)) == 1_001


async def test_a_step_is_not_over_before_it_is_planned_whole(jobs: JobScene) -> None:
    job = (await submit_job(jobs.access, NewJob("test", (NewStep("cut", 1),), {"cut": 1_001}))).change.job_id
    assert await jobs.run_step("cut") == 1_000
    assert await jobs.status(job) == "running"
    await reap(jobs.access, grace_seconds=0)
    assert await jobs.run_step("cut") == 1
    assert await jobs.status(job) == "succeeded"


async def test_a_step_without_shards_is_over_at_once(jobs: JobScene) -> None:
    job = await jobs.submit(cut=0)
    assert await jobs.step_statuses(job) == ["succeeded", "running"]
    assert await jobs.run_step("join") == 1


async def test_a_step_that_is_skipped_is_passed(jobs: JobScene) -> None:
    steps = (NewStep("cut", 1, skip_reason="nothing to cut"), NewStep("draw", 1, streams=True), NewStep("join", 1))
    job = await jobs.submit(steps=steps, inputs={"draw": 1})
    assert await jobs.step_statuses(job) == ["skipped", "succeeded", "running"]


async def test_a_step_that_cannot_be_planned_fails_the_job(jobs: JobScene) -> None:
    job = await jobs.submit(inputs={"unplannable": "join"})
    await jobs.run_step("cut")
    row = await jobs.job(job)
    assert (row["status"], row["error_code"], row["message"]) == ("failed", "USAGE", "this cannot be planned")


async def test_a_shard_streams_on_before_the_others_have_succeeded(jobs: JobScene) -> None:
    job = await jobs.submit(cut=3, steps=STREAM)
    first = await jobs.claimed()
    await jobs.succeed(first)
    assert (await jobs.claimed("draw")).shard == first.shard
    await jobs.expire_leases()
    await reap(jobs.access, grace_seconds=0)
    await jobs.run_step("cut")
    assert await jobs.claim("join") is None
    assert await jobs.run_step("draw") == 3
    assert await jobs.run_step("join") == 1
    assert await jobs.status(job) == "succeeded"


async def test_a_changed_priority_takes_effect_at_the_next_claim(jobs: JobScene) -> None:
    await jobs.submit(cut=5)
    late = await jobs.submit(cut=1)
    assert (await jobs.claimed()).job_id != late
    await change_priority(jobs.access, late, 1)
    assert (await jobs.claimed()).job_id == late


async def test_a_newcomer_shares_the_queue_with_a_backlog(jobs: JobScene) -> None:
    await jobs.submit(cut=50, principal="big")
    for _ in range(10):
        await jobs.claimed()
    small = await jobs.submit(cut=5, principal="small")
    order = [(await jobs.claimed()).job_id == small for _ in range(12)]
    assert sum(order) == 5


async def test_who_has_cancelled_a_backlog_starts_as_a_newcomer_would(jobs: JobScene) -> None:
    backlog = await jobs.submit(cut=500, principal="big")
    await jobs.submit(cut=20, principal="other")
    await cancel_job(jobs.access, backlog, "me")
    again = await jobs.submit(cut=5, principal="big")
    order = [(await jobs.claimed()).job_id == again for _ in range(10)]
    assert sum(order) == 5


async def test_a_task_that_waits_holds_no_lease_and_wakes_at_its_limit(jobs: JobScene) -> None:
    job = await jobs.submit()
    await jobs.end(await jobs.claimed(), TaskWaits({"asked": 64}, seconds=0.0))
    assert await jobs.status(job) == "waiting"
    await jobs.rows.execute("UPDATE tasks SET not_before = now()")
    await reap(jobs.access, grace_seconds=0)
    await jobs.succeed(await jobs.claimed())
    assert await jobs.run_step("join") == 1
    assert await jobs.status(job) == "succeeded"


async def test_a_task_of_a_paused_job_that_wakes_is_held(jobs: JobScene) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await jobs.end(task, TaskWaits({}, seconds=60))
    await pause_job(jobs.access, job, "me")
    await wake_task(jobs.access, task.key)
    assert await jobs.claim() is None
    await resume_job(jobs.access, job, "me")
    assert await jobs.claim()


async def test_the_events_of_a_job_are_numbered_without_a_gap(jobs: JobScene) -> None:
    job = await jobs.submit(cut=8)
    await asyncio.gather(*(jobs.succeed(task) for task in [await jobs.claimed() for _ in range(8)]))
    await jobs.run_step("join")
    rows = await jobs.rows.fetch("SELECT seq FROM job_events WHERE job_id = $1 ORDER BY seq", job)
    assert [row["seq"] for row in rows] == [*range(1, len(rows) + 1)]
    kinds = await jobs.events(job)
    assert (kinds[0], kinds[-1]) == ("queued", "succeeded")
