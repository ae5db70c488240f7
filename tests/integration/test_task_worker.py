"""A task that is asked to stop, or fails, while its files are brought or kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.held_tasks import HeldTasks
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.step import InputFiles, MadeFile
from windmill.jobs.task_worker import TaskWorker
from windmill.storage import database
from windmill.storage.jobs.rows import ClaimedTask, StoredArtifact

pytestmark = pytest.mark.database


class StubbornFiles:
    """Brings nothing until it is told to, or fails."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.fails_to_bring: WindmillError | None = None
        self.fails_to_keep: WindmillError | None = None

    async def bring(self, task: ClaimedTask, folder: Path) -> InputFiles:
        self.begun.set()
        if self.fails_to_bring:
            raise self.fails_to_bring
        await self.go_on.wait()
        return {}

    async def find_made(self, task: ClaimedTask, made_with: Sequence[str], folder: Path) -> TaskSucceeded | None:
        return None

    async def keep(self, made: Sequence[MadeFile]) -> Sequence[StoredArtifact]:
        if self.fails_to_keep:
            raise self.fails_to_keep
        return []


class WorkScene:
    """A worker with one task in hand."""

    def __init__(self, jobs: JobScene, scratch: Path) -> None:
        self.jobs = jobs
        self.files = StubbornFiles()
        self.held = HeldTasks(jobs.access)
        self.worker = TaskWorker(jobs.access, self.held, scratch, self.files)

    async def outcome(self, why: str = "") -> tuple[str, int, str | None]:
        """Work on a new task, stopped while its files are brought if there is a reason; its row afterwards."""
        await self.jobs.submit()
        held = self.held.add(await self.jobs.claimed(), time.monotonic())
        working = asyncio.ensure_future(self.worker.work(held))
        if why:
            await self.files.begun.wait()
            held.ask("lost" if why == "lost" else "stop")
        await working
        row = await self.jobs.rows.fetchrow("SELECT status, tries, error_code FROM tasks")
        assert row
        return row["status"], row["tries"], row["error_code"]


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[WorkScene]:
    async with database.pool(settings, "test") as pool:
        yield WorkScene(JobScene(pool, settings, fleet.rows), tmp_path / "scratch")


async def test_a_worker_that_stops_gives_back_a_task_whose_files_are_still_coming(scene: WorkScene) -> None:
    assert await scene.outcome("stop") == ("queued", 0, None)


async def test_nothing_is_written_of_a_task_that_is_lost_while_its_files_are_coming(scene: WorkScene) -> None:
    assert await scene.outcome("lost") == ("running", 0, None)


async def test_a_task_whose_files_have_gone_fails(scene: WorkScene) -> None:
    scene.files.fails_to_bring = WindmillError("ARTIFACT_NOT_FOUND", "it is not there")
    assert await scene.outcome() == ("failed", 1, "ARTIFACT_NOT_FOUND")


async def test_a_task_waits_for_a_store_that_is_away_and_loses_no_try(scene: WorkScene) -> None:
    scene.files.go_on.set()
    scene.files.fails_to_keep = WindmillError("ARTIFACT_STORE_UNAVAILABLE", "it is away")
    assert await scene.outcome() == ("queued", 0, "ARTIFACT_STORE_UNAVAILABLE")


async def test_a_task_is_not_begun_by_a_process_that_stood_still_since_it_claimed_it(scene: WorkScene) -> None:
    """Others may have done it meanwhile."""
    await scene.jobs.submit()
    long_ago = time.monotonic() - scene.jobs.access.settings.task_lease_seconds
    scene.files.go_on.set()
    held = scene.held.add(await scene.jobs.claimed(), long_ago)
    assert await scene.worker.work(held) is None
    assert held.run is None
    assert await scene.jobs.rows.fetchval("SELECT status FROM tasks") == "running", "until its lease ends"
