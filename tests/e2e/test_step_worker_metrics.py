"""What workers of steps tell at their port, in the table of workers and to `status`."""

import pytest

from tests.e2e.test_job_worker import scene
from tests.e2e.test_metrics import HOST, becomes, failing, fetched, free_port, number
from tests.e2e.worker_scene import WorkerScene
from tests.waiting import until
from windmill.jobs.submitting import NewStep

__all__ = ["scene"]

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(180)]


async def test_a_worker_counts_what_became_of_its_tasks(scene: WorkerScene) -> None:
    port = free_port()
    worker = await scene.worker(METRICS_PORT=str(port), **HOST)
    job = await scene.submit(NewStep("split", 1), NewStep("gather", 1), shards=3)
    await scene.becomes(job, "succeeded")
    await becomes(port, 'windmill_step_tasks_total{code="",outcome="succeeded",step="split"}', 3, worker)
    await becomes(port, 'windmill_step_tasks_running{step="split"}', 0, worker)
    assert await number(port, 'windmill_step_slots{step="split"}') == 4
    assert (await number(port, 'windmill_step_claim_seconds_count{step="split"}') or 0) >= 3
    assert await number(port, 'windmill_step_work{state="claimable",step="hang"}') == 0
    assert (await fetched(port, "/healthz"))[0] == 200

    async def nothing_fails() -> bool:
        return not await failing(port)

    await until(nothing_fails, 30, worker.log)  # jobs need no broker, which may be reached after them


async def test_a_worker_whose_broker_is_away_works_and_says_so(scene: WorkerScene) -> None:
    port = free_port()
    await scene.worker(METRICS_PORT=str(port), QUEUE_PORT="1", **HOST)
    await scene.becomes(await scene.submit(NewStep("split", 1)), "succeeded")
    await until(lambda: failing(port), 30)
    assert set(await failing(port)) == {"broker"}


async def test_a_worker_sends_a_heartbeat_for_each_of_its_steps_and_says_that_it_stops(scene: WorkerScene) -> None:
    async def live() -> list[str]:
        rows = await scene.fleet.rows.fetch("SELECT service FROM workers WHERE stopped_at IS NULL ORDER BY service")
        return [row["service"] for row in rows]

    worker = await scene.worker("split,wait")

    async def is_told() -> bool:
        return await live() == ["split", "wait"]

    await until(is_told, 30, scene.fleet.logs)
    assert (await worker.stop()).code == 0
    assert await live() == []


@pytest.mark.slow(reason="9 s: a lease has to run out")
async def test_a_worker_of_services_takes_over_what_a_worker_of_steps_lost(scene: WorkerScene) -> None:
    lost = await scene.worker("wait")
    job = await scene.submit(NewStep("wait", 1))
    await scene.started(1)
    await lost.kill()
    port = free_port()
    reaping = await scene.fleet.worker("yolov8", METRICS_PORT=str(port), **HOST)
    await becomes(port, 'windmill_step_lost_leases_total{step="wait"}', 1, reaping)
    assert await scene.jobs.tasks(job) == {(0, 0): "queued"}


async def test_a_step_that_nobody_serves_gets_a_token_from_a_worker_of_services(scene: WorkerScene) -> None:
    await scene.submit(NewStep("split", 1), shards=2)
    await scene.fleet.worker("yolov8")

    async def has_tokens() -> bool:
        return await scene.fleet.depth("split") == 2

    await until(has_tokens, 90, scene.fleet.logs)
