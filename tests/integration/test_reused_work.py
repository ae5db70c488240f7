"""A task that is made of the same as one that has succeeded is not run again, in whatever job that was."""

import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.engines.engine import ProducedFile
from windmill.jobs.deleting import delete_job
from windmill.jobs.held_tasks import HeldTasks
from windmill.jobs.measured_times import FEWEST, measure_steps
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult
from windmill.jobs.submitting import NewStep
from windmill.jobs.task_files import StoredTaskFiles
from windmill.jobs.task_worker import TaskWorker
from windmill.storage import database
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.jobs.rows import Document
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database


@dataclass(frozen=True)
class PaintStep:
    """Writes a color into a file, and counts that. Nobody knows which brush there is today, unless it has a number."""

    ran: list[str] = field(default_factory=list)
    name: str = "paint"
    version: int = 1
    deterministic: bool = True
    streams: bool = False
    limits: StepLimits = field(default_factory=StepLimits)

    def made_with(self, parameters: Document) -> list[str] | None:
        return [parameters["brush"]] if parameters["brush"] else None

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        yield {"color": job.inputs["color"]}

    async def run(self, task: RunningTask) -> TaskResult:
        color = task.input["color"]
        self.ran.append(color)
        if color == "none" and len(self.ran) == 1:
            raise WindmillError("PROCESS_FAILED", "the first stroke went wrong")
        path = task.scratch / "a.txt"
        path.write_text(color)
        return TaskResult({"color": color}, [ProducedFile("a.txt", path, "text/plain")], warnings=[f"{color} is wet"])


class PaintScene:
    """A worker that paints, with a store."""

    def __init__(self, jobs: JobScene, store: FolderStore, step: PaintStep, scratch: Path) -> None:
        self.jobs, self.store, self.step = jobs, store, step
        self.held = HeldTasks(jobs.access)
        self.worker = TaskWorker(jobs.access, self.held, scratch, StoredTaskFiles(jobs.access, store))

    async def paint(self, color: str, brush: str = "brush 3", **given: Any) -> int:  # noqa: ANN401 - of NewJob
        """A job of one task, worked on once; its id."""
        steps = (NewStep("paint", 1, parameters={"brush": brush}),)
        job = await self.jobs.submit(steps=steps, inputs={"color": color}, **given)
        await self.work()
        return job

    async def work(self) -> None:
        held = self.held.add(await self.jobs.claimed("paint"), time.monotonic())
        assert await self.worker.work(held), "the lease was lost"

    async def key(self, job: int) -> str:
        return str(await self.jobs.rows.fetchval("SELECT key FROM artifacts WHERE job_id = $1", job))


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[PaintScene]:
    step = PaintStep()
    async with database.pool(settings, "test", max_size=4) as pool:
        jobs = JobScene(pool, settings, fleet.rows, StepCatalog([step]))
        yield PaintScene(jobs, FolderStore(tmp_path / "store"), step, tmp_path / "scratch")


async def test_what_was_made_before_comes_with_its_output_its_files_and_its_warnings(scene: PaintScene) -> None:
    first, second = await scene.paint("red"), await scene.paint("red")
    assert scene.step.ran == ["red"]
    rows = await scene.jobs.rows.fetch("SELECT status, output FROM tasks ORDER BY job_id")
    assert [tuple(row) for row in rows] == [("succeeded", '{"color": "red"}')] * 2
    assert await scene.key(first) == await scene.key(second)
    assert (await scene.jobs.job(second))["warnings"] == '["red is wet"]'
    told = await scene.jobs.rows.fetch("SELECT data ->> 'reused' FROM job_events WHERE kind = 'task_succeeded'")
    assert [row[0] for row in told] == [None, "true"]


@pytest.mark.parametrize("other", [{"color": "blue"}, {"brush": "brush 4"}, {"brush": ""}, {"principal": "bob"}])
async def test_what_is_made_of_something_else_is_made(scene: PaintScene, other: dict[str, str]) -> None:
    await scene.paint("red")
    await scene.paint(**{"color": "red", **other})
    assert len(scene.step.ran) == 2


async def test_what_nobody_says_is_equal_each_time_is_made_each_time(scene: PaintScene) -> None:
    for _ in range(2):
        await scene.paint("red", brush="")
    assert scene.step.ran == ["red", "red"]


async def test_a_result_whose_file_is_damaged_is_made_again_and_mended(scene: PaintScene, tmp_path: Path) -> None:
    key = await scene.key(await scene.paint("red"))
    damaged = tmp_path / "store" / key
    damaged.chmod(0o600)
    damaged.write_text("blue")
    await scene.paint("red")
    assert scene.step.ran == ["red", "red"]
    await scene.store.fetch(key, tmp_path / "fetched")
    assert (tmp_path / "fetched").read_text() == "red"


async def test_files_stay_when_the_job_that_made_them_is_deleted_and_are_found_still(scene: PaintScene) -> None:
    first, second = await scene.paint("red"), await scene.paint("red")
    gone: list[str] = []

    async def delete(keys: Any) -> None:  # noqa: ANN401 - a sequence of keys
        gone.extend(keys)

    await delete_job(scene.jobs.access, first, delete)
    assert gone == []
    third = await scene.paint("red")
    assert scene.step.ran == ["red"]
    assert await scene.key(third) == await scene.key(second)


async def test_a_job_that_runs_a_step_anew_makes_anew_what_nobody_else_has(scene: PaintScene) -> None:
    job = await scene.paint("red")
    await rerun_job(scene.jobs.access, job, "paint")
    await scene.work()
    assert scene.step.ran == ["red", "red"]


async def test_a_task_that_is_tried_again_runs_itself(scene: PaintScene) -> None:
    await scene.paint("none")
    await scene.paint("none")
    await scene.jobs.rows.execute("UPDATE tasks SET not_before = NULL WHERE status = 'queued'")
    await scene.work()
    assert scene.step.ran == ["none"] * 3


async def test_what_was_not_run_does_not_tell_what_the_step_takes(scene: PaintScene) -> None:
    for number in range(FEWEST):
        await scene.paint(f"red {number}")
    for number in range(FEWEST):
        await scene.paint(f"red {number}")
    await scene.jobs.rows.execute("UPDATE steps SET ran = CASE reused WHEN 0 THEN 6 ELSE 0.1 END")
    async with transaction(scene.jobs.access.pool, scene.jobs.access.settings) as connection:
        measured = await measure_steps(connection, ["paint"])
    assert measured["paint"].task_seconds == 6
