"""Jobs that are run again or forked, and the same work asked for twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.rerunning import rerun_job
from windmill.storage import database
from windmill.storage.jobs.rows import StoredArtifact

pytestmark = pytest.mark.database


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=16) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def test_a_failed_job_goes_on_from_the_step_that_failed_with_what_had_succeeded(jobs: JobScene) -> None:
    job = await jobs.submit(cut=3)
    await jobs.succeed(await jobs.claimed())
    await jobs.fail(await jobs.claimed())
    assert await jobs.status(job) == "failed"
    assert (await rerun_job(jobs.access, job)).new_tasks == {"cut": 2}
    assert await jobs.run_step("cut") == 2
    assert await jobs.run_step("join") == 1
    row = await jobs.job(job)
    assert (row["status"], row["attempt"], row["error_code"]) == ("succeeded", 2, None)


async def test_a_later_step_that_failed_does_not_run_the_ones_before_again(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2)
    await jobs.run_step("cut")
    await jobs.fail(await jobs.claimed("join"))
    await rerun_job(jobs.access, job)
    assert await jobs.claim("cut") is None
    assert await jobs.run_step("join") == 1
    assert await jobs.status(job) == "succeeded"


async def test_shards_that_failed_within_the_budget_run_again_and_so_does_what_was_made_without_them(
    jobs: JobScene,
) -> None:
    job = await jobs.submit(cut=2, failure_budget=1)
    await jobs.fail(await jobs.claimed())
    await jobs.run_step("cut")
    await jobs.run_step("join")
    await rerun_job(jobs.access, job)
    assert await jobs.run_step("cut") == 1
    assert await jobs.run_step("join") == 1
    assert (await jobs.job(job))["warnings"] == "[]"


async def test_a_job_of_which_all_has_succeeded_is_run_again_only_from_a_named_step(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2)
    await jobs.run_step("cut")
    await jobs.run_step("join")
    with pytest.raises(WindmillError, match="--from-step"):
        await rerun_job(jobs.access, job)
    await rerun_job(jobs.access, job, "join")
    assert await jobs.claim("cut") is None
    assert await jobs.run_step("join") == 1


async def test_a_fork_copies_what_is_finished_and_runs_the_rest_with_other_inputs(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2)
    key = (await jobs.claimed(), StoredArtifact("a.png", "image/png", 3, "00", "00/00"))
    await jobs.end(key[0], TaskSucceeded({}, [key[1]]))
    await jobs.run_step("cut")
    fork = (await fork_job(jobs.access, job, "join", Changes(inputs={"join": 5}))).job_id
    assert await jobs.claim("cut") is None
    assert await jobs.rows.fetchval("SELECT count(*) FROM artifacts WHERE job_id = $1", fork) == 1
    assert len([one for one in await jobs.tasks(fork) if one[0] == 1]) == 5
    assert (await jobs.job(fork))["forked_from"] == job


async def test_a_fork_needs_what_comes_before_to_be_finished(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2)
    with pytest.raises(WindmillError, match="CONFLICT"):
        await fork_job(jobs.access, job, "join", Changes())


@pytest.mark.parametrize("same", ["dedupe_key", "idempotency_key"])
async def test_the_same_work_asked_for_at_once_becomes_one_job(jobs: JobScene, same: str) -> None:
    ids = await asyncio.gather(*(jobs.submit(1, **{same: "cat"}) for _ in range(10)))
    assert len(set(ids)) == 1
    assert await jobs.submit(1, **{same: "dog"}) not in ids
    assert await jobs.submit(1, **{same: "cat", "principal": "another"}) not in ids


async def test_the_same_work_is_rejected_where_that_is_asked_for(jobs: JobScene) -> None:
    await jobs.submit(dedupe_key="cat")
    with pytest.raises(WindmillError, match="does the same work"):
        await jobs.submit(dedupe_key="cat", on_duplicate="reject")


async def test_the_same_work_runs_again_if_it_failed(jobs: JobScene) -> None:
    job = await jobs.submit(dedupe_key="cat")
    await jobs.fail(await jobs.claimed())
    assert await jobs.submit(dedupe_key="cat", on_duplicate="return") == job
    assert await jobs.status(job) == "failed"
    assert await jobs.submit(dedupe_key="cat") == job
    assert await jobs.status(job) == "queued"
