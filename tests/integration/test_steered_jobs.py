"""Jobs that people cancel or pause, and deadlines."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import STREAM, JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.claiming import renew_leases
from windmill.jobs.reaping import reap
from windmill.jobs.requests import cancel_job, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.storage import database

pytestmark = pytest.mark.database


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=16) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def test_cancelling_ends_what_waits_now_and_what_runs_once_its_worker_says_so(jobs: JobScene) -> None:
    job = await jobs.submit(cut=3)
    task = await jobs.claimed()
    assert (await cancel_job(jobs.access, job, "me")).status == "cancelling"
    assert await jobs.claim() is None
    assert await renew_leases(jobs.access, [task], [0]) == {task.lease: "cancelling"}
    assert (await cancel_job(jobs.access, job, "me")).status == "cancelling"
    with pytest.raises(WindmillError, match="CONFLICT"):
        await rerun_job(jobs.access, job)
    await jobs.give_back(task)
    row = await jobs.job(job)
    assert (row["status"], row["error_code"], row["message"]) == ("cancelled", "CANCELLED", "cancelled by me")


async def test_cancelling_a_job_whose_worker_is_gone_ends_with_its_lease(jobs: JobScene) -> None:
    job = await jobs.submit()
    await jobs.claimed()
    await cancel_job(jobs.access, job, "me")
    await jobs.expire_leases()
    assert not await reap(jobs.access, grace_seconds=0)
    assert await jobs.status(job) == "cancelled"


async def test_what_succeeds_while_its_job_is_cancelled_is_kept(jobs: JobScene) -> None:
    job = await jobs.submit(steps=STREAM, cut=2)
    task = await jobs.claimed()
    await cancel_job(jobs.access, job, "me")
    await jobs.succeed(task)
    assert await jobs.status(job) == "cancelled"
    await rerun_job(jobs.access, job)
    assert await jobs.run_step("cut") == 1
    assert await jobs.run_step("draw") == 2
    assert await jobs.run_step("join") == 1
    assert await jobs.status(job) == "succeeded"


async def test_a_streaming_step_cancelled_and_run_again_twice_ends(jobs: JobScene) -> None:
    job = await jobs.submit(steps=STREAM, cut=1)
    await _succeed_while_cancelled(jobs, job, "cut")
    await rerun_job(jobs.access, job)
    await _succeed_while_cancelled(jobs, job, "draw")
    await rerun_job(jobs.access, job)
    assert await jobs.run_step("join") == 1
    assert await jobs.status(job) == "succeeded"


async def _succeed_while_cancelled(jobs: JobScene, job: int, step: str) -> None:
    task = await jobs.claimed(step)
    await cancel_job(jobs.access, job, "me")
    await jobs.succeed(task)
    assert await jobs.status(job) == "cancelled"


async def test_a_job_that_is_past_its_deadline_expires(jobs: JobScene) -> None:
    job = await jobs.submit(deadline=datetime.now(UTC) - timedelta(seconds=1))
    assert await jobs.claim() is None
    await reap(jobs.access, grace_seconds=0)
    row = await jobs.job(job)
    assert (row["status"], row["error_code"]) == ("expired", "DEADLINE_EXCEEDED")


async def test_a_paused_job_starts_nothing_until_it_is_resumed(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2)
    running = await jobs.claimed()
    await pause_job(jobs.access, job, "me", "the disk is full")
    assert await jobs.claim() is None
    await jobs.succeed(running)
    row = await jobs.job(job)
    assert (row["status"], row["paused_by"], row["pause_reason"]) == ("paused", "me", "the disk is full")
    assert (await resume_job(jobs.access, job, "me")).new_tasks == {"cut": 1}
    assert await jobs.run_step("cut") == 1
    assert await jobs.run_step("join") == 1


async def test_what_a_paused_job_plans_is_held(jobs: JobScene) -> None:
    job = await jobs.submit()
    running = await jobs.claimed()
    await pause_job(jobs.access, job, "me")
    await jobs.succeed(running)
    assert await jobs.claim("join") is None
    await resume_job(jobs.access, job, "me")
    assert await jobs.run_step("join") == 1


async def test_a_pause_with_an_end_is_over_by_itself(jobs: JobScene) -> None:
    job = await jobs.submit()
    await pause_job(jobs.access, job, "me", until=datetime.now(UTC))
    assert await reap(jobs.access, grace_seconds=0) == {"cut": 1}
    assert await jobs.status(job) == "queued"
    assert (await jobs.job(job))["paused_by"] is None
