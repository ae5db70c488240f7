"""Tasks that fail, lose their worker or their lease: tries, budgets, and what is taken over."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.settings import Settings
from windmill.jobs.claiming import begin_alone, note_progress, renew_leases
from windmill.jobs.outcomes import MAX_LOST
from windmill.jobs.reaping import reap
from windmill.storage import database

pytestmark = pytest.mark.database


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=16) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def test_a_failure_that_may_pass_is_tried_again_later_and_then_given_up(jobs: JobScene) -> None:
    job = await jobs.submit()
    for _ in range(3):
        await jobs.fail(await jobs.claimed(), "SERVICE_ERROR")
        assert await jobs.claim() is None
        await jobs.rows.execute("UPDATE tasks SET not_before = now() WHERE status = 'queued'")
        await reap(jobs.access, grace_seconds=0)
    row = await jobs.job(job)
    assert (row["status"], row["error_code"]) == ("failed", "SERVICE_ERROR")


async def test_an_engine_that_is_away_costs_no_try(jobs: JobScene) -> None:
    await jobs.submit()
    for _ in range(5):
        await jobs.fail(await jobs.claimed(), "SERVICE_UNREACHABLE")
        await jobs.rows.execute("UPDATE tasks SET not_before = now()")
        await reap(jobs.access, grace_seconds=0)
    assert (await jobs.claimed()).tries == 0


async def test_a_job_that_loses_more_shards_than_its_budget_fails_and_stops_the_others(jobs: JobScene) -> None:
    job = await jobs.submit(cut=4, failure_budget=1)
    running = await jobs.claimed()
    await jobs.fail(await jobs.claimed())
    assert await jobs.status(job) == "running"
    await jobs.fail(await jobs.claimed())
    row = await jobs.job(job)
    assert (row["status"], row["ends_as"]) == ("cancelling", "failed")
    assert await jobs.claim() is None
    await jobs.give_back(running)
    assert await jobs.status(job) == "failed"
    assert sorted((await jobs.tasks(job)).values()) == ["cancelled", "cancelled", "failed", "failed"]


async def test_a_job_within_its_budget_succeeds_with_warnings(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2, failure_budget=1)
    await jobs.fail(await jobs.claimed())
    await jobs.run_step("cut")
    await jobs.run_step("join")
    row = await jobs.job(job)
    assert (row["status"], row["warnings"]) == ("succeeded", '["1 of 2 shards of cut failed"]')


async def test_a_task_whose_lease_expires_is_given_to_another_and_costs_no_try(jobs: JobScene) -> None:
    await jobs.submit()
    frozen = await jobs.claimed()
    await jobs.expire_leases()
    assert await reap(jobs.access, grace_seconds=0) == {"cut": 1}
    again = await jobs.claimed()
    assert (again.tries, again.lost, again.attempt) == (0, 1, 2)
    assert await jobs.succeed(frozen) is None
    assert await renew_leases(jobs.access, [frozen], [0.5]) == {}


async def test_nothing_is_taken_over_by_a_connection_that_is_new(jobs: JobScene) -> None:
    await jobs.submit()
    await jobs.claimed()
    await jobs.expire_leases()
    assert not await reap(jobs.access, grace_seconds=3_600)
    assert await reap(jobs.access, grace_seconds=0)


async def test_a_task_that_loses_three_workers_the_last_one_alone_fails(jobs: JobScene) -> None:
    job = await jobs.submit()
    for number in range(MAX_LOST + 1):
        task = await jobs.claimed()
        if number == MAX_LOST:
            await begin_alone(jobs.access, task)
        await jobs.expire_leases()
        await reap(jobs.access, grace_seconds=0)
    row = await jobs.job(job)
    assert (row["status"], row["error_code"]) == ("failed", "WORKER_LOST")


async def test_a_renewed_lease_is_kept_and_its_progress_only_rises(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2)
    task = await jobs.claimed()
    await jobs.expire_leases()
    assert await renew_leases(jobs.access, [task], [0.5]) == {task.lease: "running"}
    assert not await reap(jobs.access, grace_seconds=0)
    await note_progress(jobs.access, [job])
    half = (await jobs.job(job))["progress"]
    assert half == pytest.approx(0.125)
    await renew_leases(jobs.access, [task], [0.25])
    await note_progress(jobs.access, [job])
    assert (await jobs.job(job))["progress"] == half
    assert (await jobs.events(job)).count("progress") == 1
