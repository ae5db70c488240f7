"""The end of a job's only task is one statement, as long as the job is as it was seen when the task was claimed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.job_scene import CUT, DRAW, JOIN, JobScene
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.jobs import ending
from windmill.jobs.claiming import note_progress, renew_leases
from windmill.jobs.locked_job import open_book
from windmill.jobs.requests import change_priority
from windmill.jobs.submitting import NewStep
from windmill.storage import database
from windmill.storage.database import Connection
from windmill.storage.jobs.claims import LockedTask, lock_leased_task
from windmill.storage.jobs.rows import ClaimedTask, SeenJob, TaskKey
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database

THREE = tuple(NewStep(step.name, 1) for step in (CUT, JOIN, DRAW))
VERSION = "SELECT xmin FROM jobs WHERE job_id = $1"


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=16) as pool:
        yield JobScene(pool, settings, fleet.rows)


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> list[TaskKey]:
    """The tasks that were ended under a lock, because what was seen did not do."""
    found: list[TaskKey] = []

    async def lock(connection: Connection, key: TaskKey, lease: object) -> LockedTask | None:
        found.append(key)
        return await lock_leased_task(connection, key, lease)

    monkeypatch.setattr(ending, "lock_leased_task", lock)
    return found


async def read(jobs: JobScene, job: int) -> SeenJob | None:
    """The job as the lock on its row shows it."""
    async with transaction(jobs.access.pool, jobs.access.settings) as connection:
        book = await open_book(connection, job)
        assert book
        return as_stored(SeenJob(book.job, tuple(book.steps), await connection.fetchval(VERSION, job)))


def as_stored(seen: SeenJob | None) -> SeenJob | None:
    """The table keeps seven digits of the progress."""
    return seen and replace(seen, job=replace(seen.job, progress=round(seen.job.progress, 6)))


async def gone_on(jobs: JobScene, task: ClaimedTask, step: str) -> ClaimedTask:
    change = await jobs.go_on(task, step)
    assert change.next_task
    return change.next_task


async def test_a_chain_ends_without_a_lock_and_each_task_has_seen_its_job_as_it_is(
    jobs: JobScene, locks: list[TaskKey]
) -> None:
    job = await jobs.submit(steps=THREE)
    task = await jobs.claimed()
    assert as_stored(task.seen) == await read(jobs, job)
    for step in ("join", "draw"):
        task = await gone_on(jobs, task, step)
        assert as_stored(task.seen) == await read(jobs, job)
    await jobs.succeed(task)
    assert await jobs.status(job) == "succeeded"
    assert not locks


async def test_a_task_that_was_handed_over_ends_without_a_lock(jobs: JobScene, locks: list[TaskKey]) -> None:
    job = await jobs.submit()
    await jobs.succeed(await jobs.claimed())
    joining = await jobs.claimed("join")
    assert as_stored(joining.seen) == await read(jobs, job)
    await jobs.succeed(joining)
    assert await jobs.status(job) == "succeeded"
    assert not locks


async def test_what_has_changed_since_is_read_under_the_lock(jobs: JobScene, locks: list[TaskKey]) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await change_priority(jobs.access, job, 5)
    joining = await gone_on(jobs, task, "join")
    assert locks == [task.key]
    assert await jobs.rows.fetchval("SELECT priority FROM jobs") == 5
    assert as_stored(joining.seen) == await read(jobs, job)
    await jobs.succeed(joining)
    assert await jobs.status(job) == "succeeded"


async def test_a_progress_that_was_told_does_not_fall(jobs: JobScene, locks: list[TaskKey]) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await renew_leases(jobs.access, [task], [0.9])
    await note_progress(jobs.access, [job])
    await jobs.succeed(task)
    assert locks == [task.key]
    assert await jobs.rows.fetchval("SELECT progress FROM jobs") == pytest.approx(0.5)


async def test_a_change_that_is_not_committed_yet_is_waited_for(
    jobs: JobScene, locks: list[TaskKey], fleet: Fleet
) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    async with transaction(jobs.access.pool, jobs.access.settings) as connection:
        await connection.execute("UPDATE jobs SET status = 'paused' WHERE job_id = $1", job)
        ended = asyncio.create_task(jobs.go_on(task, "join"))
        await until(lambda: waits_for_a_lock(fleet.rows))
    assert (await ended).next_task is None
    assert locks == [task.key]
    assert await jobs.rows.fetchval("SELECT not_before FROM tasks WHERE step = 'join'") is not None


async def test_a_claim_beside_a_change_of_its_job_vouches_for_nothing(jobs: JobScene, locks: list[TaskKey]) -> None:
    job = await jobs.submit()
    async with transaction(jobs.access.pool, jobs.access.settings) as connection:
        await connection.execute("UPDATE jobs SET priority = 3 WHERE job_id = $1", job)
        task = await jobs.claimed()
    await jobs.succeed(task)
    assert locks == [task.key]
    assert await jobs.status(job) == "running"


async def test_of_several_shards_each_ends_under_the_lock(jobs: JobScene, locks: list[TaskKey]) -> None:
    await jobs.submit(cut=2)
    tasks = [await jobs.claimed(), await jobs.claimed()]
    for task in tasks:
        await jobs.succeed(task)
    assert locks == [task.key for task in tasks]


async def test_nothing_is_written_once_the_lease_is_lost(jobs: JobScene) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await jobs.rows.execute("UPDATE tasks SET lease = gen_random_uuid()")
    before = await jobs.rows.fetch("SELECT * FROM tasks, jobs, steps")
    assert await jobs.succeed(task) is None
    assert await jobs.rows.fetch("SELECT * FROM tasks, jobs, steps") == before
    assert await jobs.status(job) == "running"


async def test_a_next_step_that_cannot_be_planned_fails_the_job(jobs: JobScene) -> None:
    job = await jobs.submit(inputs={"unplannable": "join"})
    await jobs.succeed(await jobs.claimed())
    assert await jobs.status(job) == "failed"
