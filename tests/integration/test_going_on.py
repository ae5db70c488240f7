"""Who ends a task goes on with the next one of the same job, if its turn has come."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.job_scene import STREAM, JobScene
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.ending import end_task_within
from windmill.jobs.outcomes import TaskRaised, TaskSucceeded
from windmill.jobs.reaping import reap
from windmill.jobs.requests import cancel_job, pause_job, resume_job
from windmill.storage import database
from windmill.storage.jobs.rows import ClaimedTask
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=16) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def gone_on(jobs: JobScene, task: ClaimedTask, *steps: str) -> ClaimedTask:
    change = await jobs.go_on(task, *steps)
    assert change.next_task, "another task comes first"
    return change.next_task


async def test_the_next_task_is_claimed_as_the_last_one_ends(jobs: JobScene) -> None:
    job = await jobs.submit()
    change = await jobs.go_on(await jobs.claimed(), "join")
    assert change.next_task
    assert change.new_tasks == {}
    assert await jobs.claim("join") is None
    assert await jobs.tasks(job) == {(0, 0): "succeeded", (1, 0): "running"}
    assert await jobs.succeed(change.next_task)
    assert await jobs.status(job) == "succeeded"


async def test_of_two_that_end_the_last_tasks_of_a_failing_job_at_once_one_ends_the_job(
    jobs: JobScene, fleet: Fleet
) -> None:
    job = await jobs.submit(cut=2)
    bad, good = await jobs.claimed(), await jobs.claimed()
    async with transaction(jobs.access.pool, jobs.access.settings) as connection:
        failed = TaskRaised(WindmillError("USAGE", "no"))
        assert await end_task_within(connection, jobs.access, bad.key, bad.lease, failed)
        ending = asyncio.create_task(jobs.succeed(good))
        await until(lambda: waits_for_a_lock(fleet.rows))
    assert await ending
    assert await jobs.status(job) == "failed"


async def test_it_is_what_a_claim_would_have_given(jobs: JobScene) -> None:
    first = await jobs.submit(principal="cat", inputs={"join": 1})
    other = await jobs.submit(principal="dog", inputs={"join": 1})
    going = await gone_on(jobs, await jobs.claimed(), "join")
    await jobs.succeed(await jobs.claimed())
    claimed = await jobs.claimed("join")
    assert {going.job_id, claimed.job_id} == {first, other}
    own = {"job_id", "public_id", "lease", "principal", "waited", "seen"}
    assert {k: v for k, v in vars(going).items() if k not in own} == {
        k: v for k, v in vars(claimed).items() if k not in own
    }
    rows = await jobs.rows.fetch("SELECT * FROM tasks WHERE status = 'running' ORDER BY job_id")
    differ = {"job_id", "principal", "lease", "lease_until", "queued_at", "claimed_at", "waited", "tag", "place"}
    of_two = [{name: value for name, value in row.items() if name not in differ} for row in rows]
    assert of_two[0] == of_two[1]


async def test_nobody_goes_on_past_a_task_that_is_queued_before(jobs: JobScene) -> None:
    await jobs.submit()
    await jobs.submit()
    first, second = await jobs.claimed(), await jobs.claimed()
    await jobs.succeed(first)
    change = await jobs.go_on(second, "join")
    assert change.next_task is None
    assert change.new_tasks == {"join": 1}
    assert (await jobs.claimed("join")).job_id == first.job_id


async def test_a_higher_priority_goes_on_past_a_lower_one(jobs: JobScene) -> None:
    await jobs.submit()
    await jobs.submit(priority=1)
    urgent, usual = await jobs.claimed(), await jobs.claimed()
    await jobs.succeed(usual)
    assert (await gone_on(jobs, urgent, "join")).job_id == urgent.job_id


async def test_without_a_free_slot_the_next_task_is_queued(jobs: JobScene) -> None:
    await jobs.submit()
    change = await jobs.go_on(await jobs.claimed(), "cut", "draw")
    assert change.next_task is None
    assert change.new_tasks == {"join": 1}


async def test_of_many_shards_one_is_gone_on_with_and_the_others_are_queued(jobs: JobScene) -> None:
    await jobs.submit(inputs={"join": 3})
    change = await jobs.go_on(await jobs.claimed(), "join")
    assert change.next_task
    assert change.next_task.shard == 0
    assert change.new_tasks == {"join": 2}
    assert [(await jobs.claimed("join")).shard for _ in range(2)] == [1, 2]


async def test_a_shard_is_gone_on_with_in_a_step_that_streams(jobs: JobScene) -> None:
    job = await jobs.submit(cut=2, steps=STREAM)
    first, second = await jobs.claimed(), await jobs.claimed()
    drawn = await gone_on(jobs, second, "draw")
    assert (drawn.step, drawn.shard) == ("draw", second.shard)
    await jobs.succeed(drawn)
    last = await gone_on(jobs, await gone_on(jobs, first, "draw"), "join")
    await jobs.succeed(last)
    assert await jobs.status(job) == "succeeded"


async def test_the_next_step_plans_from_what_the_task_that_has_just_ended_has_made(jobs: JobScene) -> None:
    await jobs.submit(cut=2, steps=STREAM[:2])
    await jobs.end(await jobs.claimed(), TaskSucceeded({"pictures": ("a", "b")}))
    await jobs.end(await jobs.claimed(), TaskSucceeded({"pictures": 2}))
    inputs = [(await jobs.claimed("draw")).input for _ in range(2)]
    assert inputs == [{"from": {"pictures": ["a", "b"]}}, {"from": {"pictures": 2}}]


async def test_a_job_that_was_paused_meanwhile_goes_on_once_it_is_resumed(jobs: JobScene) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await pause_job(jobs.access, job, "me")
    assert (await jobs.go_on(task, "join")).next_task is None
    await resume_job(jobs.access, job, "me")
    assert await jobs.run_step("join") == 1


async def test_a_job_that_is_cancelling_does_not_go_on(jobs: JobScene) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await cancel_job(jobs.access, job, "me")
    assert (await jobs.go_on(task, "join")).next_task is None
    assert await jobs.status(job) == "cancelled"


async def test_a_job_that_is_past_its_deadline_does_not_go_on(jobs: JobScene) -> None:
    job = await jobs.submit()
    task = await jobs.claimed()
    await jobs.rows.execute("UPDATE jobs SET deadline = now()")
    assert (await jobs.go_on(task, "join")).next_task is None
    await reap(jobs.access, grace_seconds=0)
    assert await jobs.status(job) == "expired"


async def test_who_has_lost_its_lease_does_not_go_on(jobs: JobScene) -> None:
    job = await jobs.submit()
    frozen = await jobs.claimed()
    await jobs.expire_leases()
    await reap(jobs.access, grace_seconds=0)
    assert await jobs.end(frozen, TaskSucceeded({})) is None
    assert await jobs.tasks(job) == {(0, 0): "queued"}


async def test_what_was_gone_on_with_is_taken_over_like_any_other_task(jobs: JobScene) -> None:
    await jobs.submit()
    going = await gone_on(jobs, await jobs.claimed(), "join")
    await jobs.expire_leases()
    assert await reap(jobs.access, grace_seconds=0) == {"join": 1}
    again = await jobs.claimed("join")
    assert (again.attempt, again.lost) == (2, 1)
    assert await jobs.succeed(going) is None
