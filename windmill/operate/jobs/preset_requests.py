"""What a program asks of a preset, with typed values and files that are in the store: checked, and made into a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import NewJob
from windmill.operate.jobs.given_files import GivenFiles, numbered_files
from windmill.operate.jobs.job_reruns import find_reruns
from windmill.operate.jobs.preset_orders import draw_seed
from windmill.operate.jobs.serving_artifacts import find_visible_artifact
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_job import job_of_request
from windmill.pipelines.presets.preset_library import PresetLibrary
from windmill.pipelines.presets.preset_request import PresetRequest, consents_of, read_request
from windmill.storage.jobs.rows import StoredArtifact


@dataclass(frozen=True)
class PresetAsk:
    """A level and inputs, in which files are named by the ids of artifacts."""

    inputs: Mapping[str, object] = field(default_factory=dict)
    quality: str | None = None
    engines: Sequence[str] = ()
    consent_given: bool = False


async def job_of_preset(
    access: JobAccess, library: PresetLibrary, preset: Preset, ask: PresetAsk, principal: str | None, by: str
) -> NewJob:
    """The job; raises USAGE with every mistake, and NOT_FOUND for a file or job that the principal does not see. `by`
    is who confirms what is to be confirmed."""
    request = read_request(
        preset,
        ask.inputs,
        ask.quality,
        consent_given=ask.consent_given,
        draw_seed=draw_seed,
    )
    confirmed_by = by if ask.consent_given else None
    again = await find_reruns(GivenFiles(access, None, principal), library, request, confirmed_by)
    job = job_of_request(request, STEPS, ask.engines, again.reruns)
    files = [await _files(access, request, name, principal) for name in _file_inputs(request)]
    given, consents = [*chain(*files), *again.files], [*consents_of(request, by), *again.consents]
    return replace(job, files=given, consents=consents) if given or consents else job


def _file_inputs(request: PresetRequest) -> list[str]:
    return [name for name, spec in request.preset.inputs.items() if spec.is_file and request.inputs.get(name)]


async def _files(
    access: JobAccess, request: PresetRequest, name: str, principal: str | None
) -> Sequence[StoredArtifact]:
    given = request.inputs[name]
    ids = given if isinstance(given, list) else [given]
    return numbered_files(name, [await _file(access, one, principal) for one in ids])


async def _file(access: JobAccess, sha256: str, principal: str | None) -> StoredArtifact:
    row = await find_visible_artifact(access, sha256, principal)
    return StoredArtifact(row.name, row.media_type, row.bytes, sha256, row.key)
