"""Jobs over a real PostgreSQL: what follows when tasks end, and what people may ask for meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import STREAM, JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.claiming import begin_alone, note_progress, renew_leases
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.outcomes import MAX_LOST, TaskSucceeded, TaskWaits
from windmill.jobs.reaping import plan_further, reap
from windmill.jobs.requests import cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.submitting import NewJob, NewStep, submit_job
from windmill.jobs.waking import wake_task
from windmill.storage import database
from windmill.storage.jobs.rows import StoredArtifact

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
