"""The files that a job is submitted with: of this machine, which are stored now, or in the store already."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from windmill.engines.outputs import media_type_of
from windmill.jobs.access import JobAccess
from windmill.operate.jobs.preset_orders import Paths, Texts, file_inputs
from windmill.operate.jobs.serving_artifacts import find_visible_artifact
from windmill.pipelines.presets.preset import Preset
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.jobs.rows import StoredArtifact
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")
FilesOfInputs = Mapping[str, Sequence[StoredArtifact]]


@dataclass(frozen=True)
class GivenFiles:
    """Stores files and looks them up. `principal` is whose jobs are looked at, None all."""

    access: JobAccess
    store: ArtifactStore | None = None
    principal: str | None = None

    async def of_order(self, preset: Preset, inputs: Texts, files: Paths) -> FilesOfInputs:
        """The files of each input, in the order of the command line: those in the store, then those that come now."""
        found = {}
        for name in file_inputs(preset, inputs, files):
            known = [await self._known(sha256) for sha256 in inputs.get(name, ())]
            new = [await self._stored(path) for path in files.get(name, ())]
            found[name] = numbered_files(name, [*known, *new])
        return found

    async def of_job(self, job_id: int) -> list[StoredArtifact]:
        """The files that a job was given."""
        async with transaction(self.access.pool, self.access.settings) as connection:
            return [StoredArtifact(**row) for row in await connection.fetch(queries()["list_given_files"], job_id)]

    async def _known(self, sha256: str) -> StoredArtifact:
        row = await find_visible_artifact(self.access, sha256, self.principal)
        return StoredArtifact(row.name, row.media_type, row.bytes, sha256, row.key)

    async def _stored(self, path: Path) -> StoredArtifact:
        assert self.store, "files of this machine need a store"
        blob = await self.store.put(path, media_type_of(path.name))
        return StoredArtifact(path.name, blob.media_type, blob.size, blob.sha256, blob.key)


def ids_of(preset: Preset, files: FilesOfInputs) -> dict[str, Any]:
    """What the inputs are that are files."""
    found = {name: [file.sha256 for file in group] for name, group in files.items()}
    return {name: ids if preset.inputs[name].type == "images" else ids[0] for name, ids in found.items()}


def input_of(file: StoredArtifact) -> str:
    """The input that a given file belongs to."""
    return file.name.rpartition("/")[0]


def numbered_files(name: str, files: Sequence[StoredArtifact]) -> list[StoredArtifact]:
    """The files of an input, named as those are that a job is given."""
    return [replace(file, name=f"{name}/{number}{_suffix(file.name)}") for number, file in enumerate(files, 1)]


def _suffix(name: str) -> str:
    """Which kind of file it is; nothing else of the name goes further."""
    suffix = Path(name).suffix
    return suffix.lower() if _SUFFIX.fullmatch(suffix) else ""
