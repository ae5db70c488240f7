"""The files of tasks: what a task is given comes out of the store, and what it has made goes there.

The parameters of a step say under "files" where those of each input are: `{"step": 2}` are all files that the step at
that position has made, `{"input": "photo"}` those that the job was submitted with. A task whose input has a "part",
such as `{"input": "photo", "first": 8, "count": 4}`, gets only these of that input. Where the input of a task names
files of an input under "files", it is given only these: a segment, not all of them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Protocol

from windmill.core.errors import WindmillError
from windmill.jobs.access import JobAccess
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.reuse import digest_of_work
from windmill.jobs.step import InputFiles, MadeFile
from windmill.kernels.text.natural_order import natural_key
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.artifacts.table import GIVEN, ArtifactRow, read_artifacts
from windmill.storage.jobs.reuse import take_over_made
from windmill.storage.jobs.rows import ClaimedTask, StoredArtifact
from windmill.storage.transactions import transaction

Place = Mapping[str, Any]


class TaskFiles(Protocol):
    """Brings and keeps files."""

    async def bring(self, task: ClaimedTask, folder: Path) -> InputFiles:
        """Copies of the files that the task is given, below the folder."""
        ...

    async def find_made(self, task: ClaimedTask, made_with: Sequence[str], folder: Path) -> TaskSucceeded | None:
        """What was made before of the same, and is still whole; `folder` is for looking at it."""
        ...

    async def keep(self, made: Sequence[MadeFile]) -> Sequence[StoredArtifact]:
        """Store files, whole, before the task is said to have succeeded."""
        ...


class StoredTaskFiles:
    """In a store, by the rows of the table artifacts."""

    def __init__(self, access: JobAccess, store: ArtifactStore) -> None:
        self._access = access
        self._store = store

    async def bring(self, task: ClaimedTask, folder: Path) -> InputFiles:
        chosen = await self._chosen(task)
        return {name: await self._fetch(files, folder / name) for name, files in chosen.items()}

    async def find_made(self, task: ClaimedTask, made_with: Sequence[str], folder: Path) -> TaskSucceeded | None:
        made_of = digest_of_work(task, made_with, await self._chosen(task))
        async with transaction(self._access.pool, self._access.settings) as connection:
            found = await take_over_made(connection, task, made_of)
        if found is None or not await self._are_whole(found.artifacts, folder):
            return None
        return TaskSucceeded(found.output, found.artifacts, warnings=found.warnings, reused=True)

    async def keep(self, made: Sequence[MadeFile]) -> Sequence[StoredArtifact]:
        return [await self._put(file) for file in made]

    async def _chosen(self, task: ClaimedTask) -> Mapping[str, Sequence[ArtifactRow]]:
        places: Mapping[str, Place] = task.step_parameters.get("files", {})
        if not places:
            return {}
        async with transaction(self._access.pool, self._access.settings) as connection:
            rows = await read_artifacts(connection, task.job_id, [_position(place) for place in places.values()])
        part, named = task.input.get("part"), task.input.get("files", {})
        found = {name: select_files(rows, place, named.get(name)) for name, place in places.items()}
        return {name: select_part(files, name, part) for name, files in found.items()}

    async def _are_whole(self, artifacts: Sequence[StoredArtifact], folder: Path) -> bool:
        """Fetching checks their digests. What is lost or damaged is made again, which mends it."""
        await asyncio.to_thread(folder.mkdir, parents=True)
        for one in artifacts:
            try:
                await self._store.fetch(one.key, folder / "looked_at")
            except WindmillError as error:
                if error.code not in ("ARTIFACT_NOT_FOUND", "CHECKSUM_MISMATCH"):
                    raise
                return False
            await asyncio.to_thread((folder / "looked_at").unlink)
        return True

    async def _fetch(self, rows: Sequence[ArtifactRow], folder: Path) -> Sequence[Path]:
        targets = [folder / f"{number}{PurePath(row.name).suffix}" for number, row in enumerate(rows, 1)]
        await asyncio.to_thread(folder.mkdir, parents=True)
        for row, target in zip(rows, targets, strict=True):
            await self._store.fetch(row.key, target)
        return targets

    async def _put(self, file: MadeFile) -> StoredArtifact:
        blob = await self._store.put(file.path, file.media_type)
        return StoredArtifact(file.name, blob.media_type, blob.size, blob.sha256, blob.key)


def select_files(rows: Sequence[ArtifactRow], place: Place, names: Sequence[str] | None = None) -> list[ArtifactRow]:
    """The rows of a place, shard by shard, and in each as people count: frame_9 before frame_10; or only those with one
    of these names."""
    prefix = f"{place['input']}/" if "input" in place else ""
    found = [row for row in rows if row.position == _position(place) and row.name.startswith(prefix)]
    if names is not None:
        found = [row for row in found if row.name in names]
    return sorted(found, key=lambda row: (row.shard, natural_key(row.name)))


def select_part(rows: Sequence[ArtifactRow], name: str, part: Place | None) -> Sequence[ArtifactRow]:
    """Those of the input that the task is to work on."""
    if part is None or part["input"] != name:
        return rows
    return rows[part["first"] : part["first"] + part["count"]]


def _position(place: Place) -> int:
    return GIVEN if "input" in place else int(place["step"])
