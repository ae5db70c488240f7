"""Tasks that wait for answers of services are woken by the transaction that writes the last of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.job_scene import FreeProcess, JobScene
from tests.waiting import until
from windmill.core.errors import Code
from windmill.core.settings import Settings
from windmill.jobs.outcomes import TaskWaits
from windmill.jobs.reaping import reap
from windmill.jobs.requests import cancel_job, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.storage import database
from windmill.storage.jobs import result_waits
from windmill.storage.jobs.result_waits import AskedServices
from windmill.storage.jobs.rows import ClaimedTask, TaskKey
from windmill.storage.queries import queries
from windmill.storage.result_writer import ResultRow

pytestmark = pytest.mark.database

KEPT = {"state": {"images": 2}, "needs_files": False}


class WaitScene:
    """A job with a task that asks services, and the answers that come."""

    def __init__(self, jobs: JobScene, settings: Settings) -> None:
        self.jobs, self.settings = jobs, settings

    async def asking(self, *image_ids: int, service: str = "yolov8", wakes_at: int = 0) -> ClaimedTask:
        """A claimed task that has asked a service for these images."""
        await self.jobs.submit()
        task = await self.jobs.claimed()
        await self.ask(task.key, image_ids, service, wakes_at)
        return task

    async def ask(self, key: TaskKey, image_ids: Sequence[int], service: str = "yolov8", wakes_at: int = 0) -> None:
        asked = [AskedServices(image_id, (service,), None) for image_id in image_ids]
        async with self.jobs.rows.transaction():
            await result_waits.lock_result_wait(self.jobs.rows, key)
            await result_waits.await_answers(self.jobs.rows, key, asked)
            await result_waits.save_result_wait(self.jobs.rows, key, len(asked), wakes_at)

    async def waiting(self, *image_ids: int, wakes_at: int = 0) -> ClaimedTask:
        """The same once its claim has ended."""
        task = await self.asking(*image_ids, wakes_at=wakes_at)
        await self.jobs.end(task, TaskWaits(KEPT, 600, 0.25))
        return task

    async def answer(self, *image_ids: int, rows: asyncpg.Connection | None = None, **changed: Any) -> None:  # noqa: ANN401
        """As a worker writes answers."""
        given = [answered(image_id)._replace(**changed) for image_id in image_ids]
        columns = map(list, zip(*given, strict=True))
        await (rows or self.jobs.rows).execute(queries()["save_results"], *columns)

    async def status(self, task: ClaimedTask) -> str:
        return (await self.jobs.tasks(task.job_id))[task.position, task.shard]

    async def awaited(self) -> tuple[int, int]:
        """The rows of both tables."""
        counts = "SELECT (SELECT count(*) FROM result_waits), (SELECT count(*) FROM awaited_results)"
        row = await self.jobs.rows.fetchrow(counts)
        assert row
        return row[0], row[1]


def answered(image_id: int, code: Code | None = None) -> ResultRow:
    data = None if code else '{"predictions": []}'
    return ResultRow(
        image_id, "yolov8", data, code, code, 0.1, "worker", 1, None, datetime.now(UTC) + timedelta(seconds=1)
    )


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[WaitScene]:
    async with database.pool(settings, "test", max_size=4) as pool:
        yield WaitScene(JobScene(pool, settings, fleet.rows), settings)


async def test_the_transaction_that_writes_the_last_answer_wakes_the_task(scene: WaitScene) -> None:
    task = await scene.waiting(1, 2)
    await scene.answer(1)
    assert await scene.status(task) == "waiting"
    await scene.answer(2)
    assert await scene.status(task) == "queued"
    again = await scene.jobs.claimed()
    assert (again.key, again.output) == (task.key, KEPT)


async def test_a_task_may_be_woken_before_the_last_answer(scene: WaitScene) -> None:
    task = await scene.waiting(1, 2, 3, 4, wakes_at=2)
    await scene.answer(1, 2)
    assert await scene.status(task) == "queued"


async def test_a_failure_is_an_answer_and_one_of_before_is_none(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    failed = answered(1, "SERVICE_ERROR")._asdict()
    await scene.answer(1, **failed | {"submitted_at": datetime(2020, 1, 1, tzinfo=UTC)})
    assert await scene.status(task) == "waiting"
    await scene.answer(1, **failed)
    assert await scene.status(task) == "queued"


async def test_answers_of_another_service_or_image_wake_nobody(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    await scene.answer(2)
    await scene.answer(1, service="clip")
    assert await scene.status(task) == "waiting"


async def test_what_is_answered_while_the_task_still_runs_is_not_missed(scene: WaitScene) -> None:
    task = await scene.asking(1)
    await scene.answer(1)
    change = await scene.jobs.end(task, TaskWaits(KEPT, 600))
    assert change
    assert change.new_tasks == {"cut": 1}
    assert await scene.status(task) == "queued"


async def test_progress_of_a_task_that_waits_counts(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    assert (await scene.jobs.job(task.job_id))["progress"] == pytest.approx(0.125)


async def test_it_counts_when_another_task_of_the_step_ends(scene: WaitScene) -> None:
    job = await scene.jobs.submit(cut=2)
    first, second = await scene.jobs.claimed(), await scene.jobs.claimed()
    await scene.ask(first.key, [1])
    await scene.jobs.end(first, TaskWaits(KEPT, 600, 0.5))
    await scene.jobs.succeed(second)
    assert (await scene.jobs.job(job))["progress"] == pytest.approx(0.375)
    assert await scene.jobs.status(job) == "waiting"


async def test_what_is_answered_while_the_task_of_a_paused_job_runs_holds_it(scene: WaitScene) -> None:
    task = await scene.asking(1)
    await pause_job(scene.jobs.access, task.job_id, "me")
    await scene.answer(1)
    change = await scene.jobs.end(task, TaskWaits(KEPT, 600))
    assert change
    assert change.new_tasks == {}
    assert await scene.jobs.claim() is None
    await resume_job(scene.jobs.access, task.job_id, "me")
    assert (await scene.jobs.claimed()).output == KEPT


async def test_nobody_goes_on_from_a_task_that_waits_but_from_where_it_ends(scene: WaitScene) -> None:
    task = await scene.asking(1)
    change = await scene.jobs.end(task, TaskWaits(KEPT, 600), FreeProcess(["cut", "join"]))
    assert change
    assert (change.next_task, change.new_tasks) == (None, {})
    await scene.answer(1)
    going = (await scene.jobs.go_on(await scene.jobs.claimed(), "cut", "join")).next_task
    assert going
    assert (going.step, going.output) == ("join", {})
    assert await scene.awaited() == (0, 0)


async def test_a_task_that_is_woken_in_a_paused_job_stays_where_it_is(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    await pause_job(scene.jobs.access, task.job_id, "me")
    await scene.answer(1)
    assert await scene.jobs.claim() is None
    await resume_job(scene.jobs.access, task.job_id, "me")
    assert (await scene.jobs.claimed()).key == task.key


async def test_whoever_writes_answers_never_waits_for_a_job_and_the_reaper_wakes_the_task(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    async with database.connection(scene.settings, "test") as other, other.transaction():
        await other.execute("SELECT FROM jobs FOR UPDATE")
        await scene.answer(1)
    assert await scene.status(task) == "waiting"
    assert await scene.jobs.rows.fetchval(queries()["is_reaping_due"])
    assert (await reap(scene.jobs.access, grace_seconds=0))["cut"] == 1
    assert await scene.status(task) == "queued"


async def test_two_writers_that_answer_the_same_tasks_at_once_lose_no_answer(scene: WaitScene) -> None:
    tasks = [await scene.waiting(number, number + 10) for number in (1, 2)]
    async with database.connection(scene.settings, "test") as other:
        async with other.transaction():
            await scene.answer(2, 1, rows=other)
            second = asyncio.ensure_future(scene.answer(11, 12))
            async with database.connection(scene.settings, "test") as looking:
                await until(lambda: waits_for_a_lock(looking))
        await second
    assert [await scene.status(task) for task in tasks] == ["queued", "queued"]


async def test_a_cancelled_job_waits_for_nothing(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    await cancel_job(scene.jobs.access, task.job_id, "me")
    assert await scene.awaited() == (0, 0)
    await scene.answer(1)
    assert await scene.status(task) == "cancelled"


async def test_a_task_that_ends_waits_for_nothing(scene: WaitScene) -> None:
    await scene.waiting(1, 2, wakes_at=1)
    await scene.answer(1)
    await scene.jobs.fail(await scene.jobs.claimed())
    assert await scene.awaited() == (0, 0)


async def test_what_is_left_of_a_task_that_was_killed_before_it_waited_is_swept(scene: WaitScene) -> None:
    await scene.jobs.succeed(await scene.asking(1))
    assert await scene.awaited() == (1, 1)
    await reap(scene.jobs.access, grace_seconds=0)
    assert await scene.awaited() == (0, 0)


async def test_a_job_that_runs_again_begins_anew(scene: WaitScene) -> None:
    task = await scene.waiting(1)
    await cancel_job(scene.jobs.access, task.job_id, "me")
    await rerun_job(scene.jobs.access, task.job_id)
    assert (await scene.jobs.claimed()).output == {}
