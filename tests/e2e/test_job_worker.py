"""Workers run the steps of jobs: every claim here is made by processes other than the test."""

import os
import signal
from collections.abc import AsyncIterator

import pytest

from tests.e2e.worker_scene import WorkerScene, is_alive, worker_scene
from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.requests import cancel_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.submitting import NewStep
from windmill.operate.wanted_states import Pause, WantedChanges
from windmill.storage.audit_log import Actor

pytestmark = [pytest.mark.database, pytest.mark.broker]

THREE = (NewStep("split", 1), NewStep("paint", 1, streams=True), NewStep("gather", 1))


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[WorkerScene]:
    async with worker_scene(fleet, settings) as opened:
        yield opened


async def test_two_workers_run_each_shard_of_each_step_once(scene: WorkerScene) -> None:
    await scene.worker()
    await scene.worker()
    jobs = [await scene.submit(*THREE, shards=8) for _ in range(3)]
    for job in jobs:
        await scene.becomes(job, "succeeded")
    names = [f"{step} {shard}" for step in ("split", "paint", "gather") for shard in range(8)]
    assert scene.runs() == dict.fromkeys(names, 3)


async def test_a_step_that_is_paused_is_not_begun_until_it_goes_on(scene: WorkerScene) -> None:
    changes = WantedChanges(scene.jobs.access.pool, scene.fleet.settings, Actor("ann"))
    await changes.pause(["gather"], Pause("new disks"))
    worker = await scene.worker()
    job = await scene.submit(*THREE, shards=2)
    await scene.started(4)
    await worker.says("paused: what is begun is finished")
    assert (await scene.jobs.status(job), scene.runs()["gather 0"]) == ("running", 0)
    await changes.resume(["gather"])
    await scene.becomes(job, "succeeded")


async def test_the_worker_that_ends_a_task_goes_on_with_the_job(scene: WorkerScene) -> None:
    await scene.worker()
    await scene.worker()
    for number in range(1, 4):
        await scene.becomes(await scene.submit(*THREE), "succeeded")
        assert len(scene.processes(last=3)) == 1
        assert scene.runs().total() == 3 * number


async def test_a_worker_that_serves_one_step_hands_on_to_one_that_serves_the_next(scene: WorkerScene) -> None:
    await scene.worker("split,paint")
    await scene.worker("gather")
    await scene.becomes(await scene.submit(*THREE, shards=3), "succeeded")


async def test_what_a_killed_worker_held_is_run_by_another_and_what_was_done_is_not(scene: WorkerScene) -> None:
    first = await scene.worker()
    job = await scene.submit(NewStep("split", 1), NewStep("wait", 1), shards=2)
    await scene.started(4)
    await first.kill()
    await scene.worker()
    await scene.started(6)
    scene.go()
    await scene.becomes(job, "succeeded")
    assert scene.runs() == {"split 0": 1, "split 1": 1, "wait 0": 2, "wait 1": 2}


async def test_cancelling_ends_a_child_that_ignores_it_and_the_children_it_has(scene: WorkerScene) -> None:
    await scene.worker("hang")
    job = await scene.submit(NewStep("hang", 1))
    file = scene.folder / "processes"
    await until(lambda: file.exists() and len(file.read_text().split()) == 2, 60, scene.fleet.logs)
    processes = [int(one) for one in file.read_text().split()]
    await cancel_job(scene.jobs.access, job, "me")
    await scene.becomes(job, "cancelled")
    assert not [one for one in processes if is_alive(one)]


@pytest.mark.slow(reason="8 s: a child starts and dies for each try")
async def test_a_child_that_dies_does_not_end_its_worker(scene: WorkerScene) -> None:
    worker = await scene.worker("hang")
    job = await scene.submit(NewStep("hang", 1))
    file = scene.folder / "processes"
    await until(lambda: file.exists() and len(file.read_text().split()) == 2, 60, scene.fleet.logs)
    os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
    await scene.started(2)
    scene.go()
    await scene.becomes(job, "succeeded")
    assert worker.process.poll() is None


async def test_a_worker_that_stops_finishes_what_it_has_begun(scene: WorkerScene) -> None:
    worker = await scene.worker("wait")
    job = await scene.submit(NewStep("wait", 1))
    await scene.started(1)
    worker.process.send_signal(signal.SIGTERM)
    await worker.says("stopping")
    scene.go()
    ended = await worker.finished()
    assert ended.code == 0
    assert await scene.jobs.status(job) == "succeeded"
    assert "tries=" in ended.err
    assert "1 succeeded, 0 failed" in ended.err


async def test_a_worker_without_grace_hands_back_what_it_has_begun(scene: WorkerScene) -> None:
    worker = await scene.worker("wait", SHUTDOWN_GRACE_SECONDS="0")
    job = await scene.submit(NewStep("wait", 1))
    await scene.started(1)
    assert (await worker.stop()).code == 0
    assert await scene.jobs.tasks(job) == {(0, 0): "queued"}
    assert await scene.fleet.rows.fetchval("SELECT tries + lost FROM tasks") == 0


async def test_a_second_signal_stops_at_once_and_leaves_no_child(scene: WorkerScene) -> None:
    worker = await scene.worker("hang")
    await scene.submit(NewStep("hang", 1))
    file = scene.folder / "processes"
    await until(lambda: file.exists() and len(file.read_text().split()) == 2, 60, scene.fleet.logs)
    worker.process.send_signal(signal.SIGTERM)
    await worker.says("stopping")
    assert (await worker.stop()).code == 130
    assert not [int(one) for one in file.read_text().split() if is_alive(int(one))]


async def test_a_worker_that_was_frozen_past_its_lease_writes_nothing(scene: WorkerScene) -> None:
    frozen = await scene.worker("wait")
    job = await scene.submit(NewStep("wait", 1))
    await scene.started(1)
    frozen.process.send_signal(signal.SIGSTOP)
    await scene.worker("wait")
    await scene.started(2)
    scene.go()
    await scene.becomes(job, "succeeded")
    before = await scene.jobs.events(job)
    frozen.process.send_signal(signal.SIGCONT)
    await frozen.says("whose lease is lost")
    assert await scene.jobs.events(job) == before
    assert await scene.fleet.rows.fetchval("SELECT attempt FROM tasks") == 2


@pytest.mark.slow(reason="10 s: a lease has to run out")
async def test_a_worker_that_was_frozen_in_the_middle_of_a_transaction_holds_up_nobody(scene: WorkerScene) -> None:
    """Of two shards, as the end of a job's only task is a statement, which the server finishes by itself."""
    frozen = await scene.worker("wait")
    job = await scene.submit(NewStep("wait", 1), shards=2)
    await scene.started(2)
    rows = scene.fleet.rows
    async with scene.jobs.access.pool.acquire() as locking, locking.transaction():
        await locking.execute("SELECT FROM jobs WHERE job_id = $1 FOR UPDATE", job)
        scene.go()
        await until(lambda: waits_for_a_lock(rows), 30, scene.fleet.logs)
        frozen.process.send_signal(signal.SIGSTOP)
    await scene.worker("wait")
    await scene.becomes(job, "succeeded")
    before = await scene.jobs.events(job)
    frozen.process.send_signal(signal.SIGCONT)
    await frozen.says("whose lease is lost")
    assert await scene.jobs.events(job) == before
    assert await rows.fetchval("SELECT array_agg(attempt) FROM tasks") == [2, 2]


async def test_jobs_go_on_while_the_broker_is_away(scene: WorkerScene) -> None:
    await scene.worker(QUEUE_PORT="1")
    await scene.becomes(await scene.submit(*THREE, shards=2), "succeeded")


async def test_progress_of_a_running_task_is_told(scene: WorkerScene) -> None:
    await scene.worker("wait")
    job = await scene.submit(NewStep("wait", 1), NewStep("gather", 1))

    async def is_told() -> bool:
        return "progress" in await scene.jobs.events(job)

    await until(is_told, 30, scene.fleet.logs)
    assert (await scene.jobs.job(job))["progress"] == pytest.approx(0.25)


@pytest.mark.slow(reason="7 s: a job runs three times")
async def test_what_has_run_does_not_run_again_when_its_job_is_retried_or_forked(scene: WorkerScene) -> None:
    for _ in range(2):
        await scene.worker("split,paint,break")
    steps = (NewStep("split", 1), NewStep("paint", 1, streams=True), NewStep("break", 1))
    broken = scene.folder / "broken"
    broken.touch()
    job = await scene.submit(*steps, shards=4)
    await scene.becomes(job, "failed")
    done = [f"{steps[position].step} {shard}" for (position, shard), status in (await scene.jobs.tasks(job)).items()
            if status == "succeeded"]  # fmt: skip
    assert len(done) >= 8
    broken.unlink()
    await rerun_job(scene.jobs.access, job)
    await scene.becomes(job, "succeeded")
    assert [scene.runs()[one] for one in done] == [1] * len(done)
    before = scene.runs()
    fork = (await fork_job(scene.jobs.access, job, "break", Changes())).job_id
    await scene.becomes(fork, "succeeded")
    assert scene.runs() - before == {f"break {shard}": 1 for shard in range(4)}
