"""Forks of jobs of presets: the steps from one on are worked out anew from other inputs, and those before stay as they
are. An input that one of those was made of cannot change."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.submitting import NewJob, NewStep
from windmill.operate.jobs import remote
from windmill.operate.jobs.given_files import FilesOfInputs, GivenFiles, ids_of, input_of
from windmill.operate.jobs.job_reruns import JobOrder, find_reruns, read_job_order
from windmill.operate.jobs.preset_orders import Paths, Texts, draw_seed, typed_inputs
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_job import job_of_request
from windmill.pipelines.presets.preset_library import PresetLibrary, load_presets
from windmill.pipelines.presets.preset_request import PresetRequest, consents_of, read_request
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.jobs.book import read_steps
from windmill.storage.jobs.rows import GivenConsent, StepRow
from windmill.storage.transactions import transaction

_OF_A_STEP = ("name", "task", "files", "each")
"""What decides what a step makes; which engine did it is part of what was made."""


@dataclass(frozen=True)
class ForkOrder:
    """What is to be different. `values` are inputs with their types, None for one to leave out; `inputs` and `files`
    are as people type them. The fork is of this `principal`, None for that of the job."""

    from_step: str
    values: Mapping[str, object] = field(default_factory=dict)
    inputs: Texts = field(default_factory=dict)
    files: Paths = field(default_factory=dict)
    quality: str | None = None
    engines: Sequence[str] = ()
    consent: bool = False
    by: str = ""
    principal: str | None = None


@over_http(remote.fork_preset_job)
async def fork_preset_job(settings: Settings, public_id: uuid.UUID, order: ForkOrder) -> Shown:
    """The new job, over a connection of its own."""
    async with database.pool(settings, "windmill jobs", max_size=1) as pool:
        given = GivenFiles(JobAccess(pool, settings, STEPS), open_artifact_store(settings))
        change = await fork_preset(given, load_presets(settings.presets_dir), public_id, order)
        return await show_job(settings, change.public_id)


async def fork_preset(given: GivenFiles, library: PresetLibrary, public_id: uuid.UUID, order: ForkOrder) -> Change:
    """Raises CONFLICT with the name of the first step before the fork that would change."""
    job = await read_job_order(given, public_id)
    preset = library.get(job.preset).preset
    order = _with_named_files(preset, order)
    request = _request(preset, job, order)
    engines = order.engines or job.parameters.get("engines") or ()
    again = await find_reruns(given, library, request, order.by if order.consent else None)
    planned = job_of_request(request, STEPS, engines, again.reruns)
    _must_stay(await _steps(given, job.job_id), planned, order.from_step, _changed(preset, job, request))
    files = await given.of_order(preset, order.inputs, order.files)
    request = replace(request, inputs={**request.inputs, **ids_of(preset, files)})
    changes = await _changes(given, job, request, planned, files)
    changes = replace(changes, consents=_consents(preset, job, request, order), principal=order.principal)
    return await fork_job(given.access, job.job_id, order.from_step, changes)


def _with_named_files(preset: Preset, order: ForkOrder) -> ForkOrder:
    """Files that are named among typed values count as those that are named in texts."""
    named = {name: value for name, value in order.values.items() if name in preset.inputs and value is not None}
    ids = {name: value if isinstance(value, list) else [value] for name, value in named.items()}
    files = {name: [*map(str, group)] for name, group in ids.items() if preset.inputs[name].is_file}
    values = {name: value for name, value in order.values.items() if name not in files}
    return replace(order, values=values, inputs={**files, **order.inputs})


def _request(preset: Preset, job: JobOrder, order: ForkOrder) -> PresetRequest:
    changed = {**job.inputs, **order.values, **typed_inputs(preset, order.inputs, order.files)}
    quality = order.quality or job.parameters.get("quality")
    return read_request(preset, changed, quality, consent_given=True, draw_seed=draw_seed)


async def _steps(given: GivenFiles, job_id: int) -> list[StepRow]:
    async with transaction(given.access.pool, given.access.settings) as connection:
        return await read_steps(connection, job_id)


def _changed(preset: Preset, job: JobOrder, request: PresetRequest) -> frozenset[str]:
    """The inputs that are other files now."""
    return frozenset(
        name
        for name, spec in preset.inputs.items()
        if spec.is_file and job.inputs.get(name) != request.inputs.get(name)
    )


def _must_stay(before: Sequence[StepRow], planned: NewJob, from_step: str, files: frozenset[str]) -> None:
    """The steps before the fork are as they were."""
    names = [str(step.parameters["name"]) for step in planned.steps]
    if names != [step.name for step in before]:
        said = f"the preset has other steps by now: {', '.join(names)}"
        raise WindmillError("CONFLICT", said, "submit the preset again")
    if from_step not in names:
        raise WindmillError("NOT_FOUND", f"the job has no step {from_step}", f"it has {', '.join(names)}")
    first = names.index(from_step)
    for old, new in zip(before[:first], planned.steps[:first], strict=True):
        if why := _why_not(old, new, files):
            said = f"the step {old.name} before {from_step} would change: {', '.join(why)}"
            raise WindmillError("CONFLICT", said, f"fork from {old.name}, or submit the preset again")


def _why_not(old: StepRow, new: NewStep, files: frozenset[str]) -> list[str]:
    """What of a finished step would be different."""
    if (old.step, old.skip_reason is None) != (new.step, new.skip_reason is None):
        return [new.skip_reason or f"it is {new.step}, and was skipped" if old.skip_reason else f"it is {new.step}"]
    if new.skip_reason:
        return []
    places = new.parameters.get("files", {}).values()
    given = [str(place["input"]) for place in places if place.get("input") in files]
    return [*given, *(name for one in _OF_A_STEP for name in _differing(one, old.parameters, new.parameters))]


def _differing(part: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    before, after = old.get(part), new.get(part)
    if before == after:
        return []
    if part != "each" or not before or not after or len(before) != len(after):
        return ["how often it runs" if part == "each" else part]
    names = {name for one, other in zip(before, after, strict=True) for name in one.keys() | other.keys()}
    return sorted(name for name in names if [one.get(name) for one in before] != [one.get(name) for one in after])


async def _changes(
    given: GivenFiles, job: JobOrder, request: PresetRequest, planned: NewJob, files: FilesOfInputs
) -> Changes:
    kept = [one for one in await given.of_job(job.job_id) if _is_kept(input_of(one), request, files)]
    return Changes(
        inputs=request.inputs,
        parameters=planned.parameters,
        steps=planned.steps,
        preset_version=planned.preset_version,
        files=[*kept, *(file for group in files.values() for file in group)],
    )


def _is_kept(name: str, request: PresetRequest, files: FilesOfInputs) -> bool:
    """Whether files of this input go along; those of another job that is run again have names with a dot."""
    return name not in files and ("." in name or request.inputs.get(name) is not None)


def _consents(preset: Preset, job: JobOrder, request: PresetRequest, order: ForkOrder) -> Sequence[GivenConsent] | None:
    """None for those of the original: they hold as long as the files are the same."""
    reason = request.consent_reason
    if order.consent and reason:
        return consents_of(request, order.by)
    if reason and (_changed(preset, job, request) or not job.confirmed):
        raise WindmillError("CONSENT_MISSING", f"{preset.id} needs a confirmation, because {reason}")
    return None
