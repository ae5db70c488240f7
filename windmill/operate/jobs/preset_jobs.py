"""Submits what somebody asks of a preset: checks all of it, stores the files that it names, and writes the job."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.engines.outputs import media_type_of
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import submit_job
from windmill.operate.jobs import remote
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_job import job_of_request
from windmill.pipelines.presets.preset_library import load_presets
from windmill.pipelines.presets.preset_request import PresetRequest, read_request
from windmill.pipelines.values import MAX_SEED, ValueSpec
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import ArtifactStore, blob_key
from windmill.storage.artifacts.table import find_artifact
from windmill.storage.jobs.rows import StoredArtifact
from windmill.storage.transactions import transaction

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")
_WRITTEN_AS_JSON = ("integer", "number", "boolean", "seed")


@dataclass(frozen=True)
class PresetOrder:
    """What somebody asks for, as they type it: texts and files by the names of inputs."""

    preset: str
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    quality: str | None = None
    engines: Sequence[str] = ()
    consent: bool = False
    priority: int = 0
    key: str | None = None


@over_http(remote.submit_preset)
async def submit_preset(settings: Settings, order: PresetOrder) -> Shown:
    """The job. No file is stored of an order that has a mistake in its inputs."""
    preset = load_presets(settings.presets_dir).get(order.preset).preset
    request = read_order(preset, order)
    job_of_request(request, STEPS, order.engines)
    store = open_artifact_store(settings)
    async with database.pool(settings, "windmill jobs", max_size=1) as pool:
        access = JobAccess(pool, settings, STEPS)
        files = {name: await _store_all(access, store, name, order) for name in _file_inputs(preset, order)}
        request = replace(request, inputs={**request.inputs, **_ids(preset, files)})
        job = job_of_request(request, STEPS, order.engines)
        all_files = [file for group in files.values() for file in group]
        job = replace(job, files=all_files, priority=order.priority, idempotency_key=order.key)
        submitted = await submit_job(access, job)
        return await show_job(settings, submitted.change.public_id)


def read_order(preset: Preset, order: PresetOrder) -> PresetRequest:
    """The request, in which files that are not stored yet have no ids; raises USAGE with every mistake."""
    return read_request(
        preset,
        _typed_inputs(preset, order),
        order.quality,
        consent_given=order.consent,
        draw_seed=lambda: secrets.randbelow(MAX_SEED + 1),
    )


def _typed_inputs(preset: Preset, order: PresetOrder) -> dict[str, object]:
    for name in order.files:
        spec = preset.inputs.get(name)
        if spec and not spec.is_file:
            raise WindmillError("USAGE", f"{name} is {spec.type}, not a file", f"--input {name}=...")
    names = [*order.inputs, *(name for name in order.files if name not in order.inputs)]
    return {name: _typed(name, preset.inputs.get(name), _texts(order, name)) for name in names}


def _texts(order: PresetOrder, name: str) -> list[str]:
    """What was typed, and something in place of each file."""
    return [*order.inputs.get(name, ()), *("to be stored" for _ in order.files.get(name, ()))]


def _typed(name: str, spec: ValueSpec | None, texts: Sequence[str]) -> object:
    """A value of the type of its input where the text can be one; whether it is allowed is checked later."""
    if spec and spec.type == "images":
        return list(texts)
    if len(texts) > 1:
        raise WindmillError("USAGE", f"{name} is given {len(texts)} times, and takes one value")
    if spec and spec.type in _WRITTEN_AS_JSON:
        try:
            return orjson.loads(texts[0])
        except orjson.JSONDecodeError:
            return texts[0]
    return texts[0]


def _file_inputs(preset: Preset, order: PresetOrder) -> list[str]:
    return [name for name, spec in preset.inputs.items() if spec.is_file and _texts(order, name)]


def _ids(preset: Preset, files: Mapping[str, Sequence[StoredArtifact]]) -> dict[str, Any]:
    """What the inputs are that are files."""
    found = {name: [file.sha256 for file in group] for name, group in files.items()}
    return {name: ids if preset.inputs[name].type == "images" else ids[0] for name, ids in found.items()}


async def _store_all(
    access: JobAccess, store: ArtifactStore, name: str, order: PresetOrder
) -> Sequence[StoredArtifact]:
    """The files of an input, in the order of the command line: those in the store, then those that come there now."""
    known = [await _known(access, sha256) for sha256 in order.inputs.get(name, ())]
    new = [await _stored(store, path) for path in order.files.get(name, ())]
    return numbered_files(name, [*known, *new])


def numbered_files(name: str, files: Sequence[StoredArtifact]) -> list[StoredArtifact]:
    """The files of an input, named as those are that a job is given."""
    return [replace(file, name=f"{name}/{number}{_suffix(file.name)}") for number, file in enumerate(files, 1)]


async def _known(access: JobAccess, sha256: str) -> StoredArtifact:
    async with transaction(access.pool, access.settings) as connection:
        row = await find_artifact(connection, blob_key(sha256))
    if row is None:
        raise WindmillError("NOT_FOUND", f"no job has a file {sha256}", "give a file of this machine: --file NAME=PATH")
    return StoredArtifact(row.name, row.media_type, row.bytes, sha256, row.key)


async def _stored(store: ArtifactStore, path: Path) -> StoredArtifact:
    blob = await store.put(path, media_type_of(path.name))
    return StoredArtifact(path.name, blob.media_type, blob.size, blob.sha256, blob.key)


def _suffix(name: str) -> str:
    """Which kind of file it is; nothing else of the name goes further."""
    suffix = Path(name).suffix
    return suffix.lower() if _SUFFIX.fullmatch(suffix) else ""
