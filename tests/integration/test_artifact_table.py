"""The rows of artifacts: written with the end of a task, walked by a sweep, and kept by whoever shares the bytes."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.engines.engine import ProducedFile
from windmill.jobs.deleting import delete_job
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.requests import cancel_job
from windmill.jobs.step import InputFiles
from windmill.jobs.submitting import NewStep
from windmill.jobs.task_files import StoredTaskFiles
from windmill.storage import database
from windmill.storage.artifacts.folder import FolderStore
from windmill.storage.artifacts.store import blob_key
from windmill.storage.artifacts.sweep import LEFT_OVER, delete_old, sweep, verify
from windmill.storage.artifacts.table import PAGE, ArtifactTable
from windmill.storage.jobs.rows import StoredArtifact

pytestmark = pytest.mark.database


class StoreScene:
    """Jobs whose tasks leave files in a folder."""

    def __init__(self, jobs: JobScene, folder: Path) -> None:
        self.jobs = jobs
        self.folder = folder
        self.store = FolderStore(folder / "store")
        self.files = StoredTaskFiles(jobs.access, self.store)
        self.table = ArtifactTable(jobs.rows)

    def made(self, name: str, text: str) -> ProducedFile:
        path = self.folder / f"{text}-{Path(name).name}"
        path.write_text(text)
        return ProducedFile(name, path, "text/plain")

    async def finish(self, *files: ProducedFile) -> None:
        task = await self.jobs.claimed()
        await self.jobs.end(task, TaskSucceeded({}, await self.files.keep(files)))

    async def bring(self) -> InputFiles:
        """What the next task of `join` is given."""
        return await self.files.bring(await self.jobs.claimed("join"), self.folder / "inputs")

    async def delete_old(self, keys: Sequence[str]) -> None:
        """As `jobs rm` does."""
        assert await delete_old(self.store, keys, datetime.now(UTC) - LEFT_OVER) == 0

    async def swept(self) -> int:
        return (await sweep(self.store, self.table, datetime.now(UTC) + timedelta(minutes=1), delete=True)).deleted


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[StoreScene]:
    async with database.pool(settings, "test") as pool:
        yield StoreScene(JobScene(pool, settings, fleet.rows), tmp_path)


async def test_a_task_gets_what_the_tasks_before_it_have_made_and_what_the_job_was_given(scene: StoreScene) -> None:
    given = await scene.files.keep([scene.made("face/1.txt", "given")])
    places = {"parts": {"step": 0}, "face": {"input": "face"}}
    steps = (NewStep("cut", 1), NewStep("join", 1, parameters={"files": places}))
    await scene.jobs.submit(2, steps=steps, files=given)
    await scene.finish(scene.made("a_10.txt", "tenth"), scene.made("a_9.txt", "ninth"))
    await scene.finish(scene.made("a_1.txt", "of the second shard"))
    files = await scene.bring()
    assert [path.read_text() for path in files["parts"]] == ["ninth", "tenth", "of the second shard"]
    assert [path.read_text() for path in files["face"]] == ["given"]


async def test_files_with_the_same_bytes_are_stored_once_and_stay_until_no_job_has_them(scene: StoreScene) -> None:
    jobs = [await scene.jobs.submit() for _ in range(2)]
    for name in ("a.txt", "b.txt"):
        await scene.finish(scene.made(name, "same"))
    assert len([one async for one in scene.table.recorded()]) == 1
    for job, deleted in zip(jobs, (0, 1), strict=True):
        with pytest.raises(WindmillError, match="CONFLICT"):
            await delete_job(scene.jobs.access, job, scene.delete_old)
        await cancel_job(scene.jobs.access, job, "me")
        await delete_job(scene.jobs.access, job, scene.delete_old)
        assert await scene.swept() == deleted
    for table in ("jobs", "steps", "tasks", "job_events", "artifacts"):
        assert await scene.jobs.rows.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_file_that_has_gone_is_found(scene: StoreScene) -> None:
    await scene.jobs.submit()
    await scene.finish(scene.made("a.txt", "text"))
    (entry,) = [one async for one in scene.store.list()]
    await scene.store.delete(entry.key)
    assert [one.fault async for one in verify(scene.store, scene.table)] == ["missing"]


async def test_all_keys_are_walked_in_the_order_of_their_bytes_however_many_there_are(scene: StoreScene) -> None:
    await scene.jobs.submit()
    digests = [f"{number * 7919 % 65536:04x}".ljust(64, "0") for number in range(2 * PAGE + 1)]
    rows = [StoredArtifact(f"{one}.txt", "text/plain", 1, one, blob_key(one)) for one in digests]
    task = await scene.jobs.claimed()
    await scene.jobs.end(task, TaskSucceeded({}, rows))
    assert [one.key async for one in scene.table.recorded()] == sorted(row.key for row in rows)
