"""The jobs that steps `rerun_job` of a request run once more: looked up, and asked for again at another quality and by
other engines than those that failed."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.core.jsonb import parse_object
from windmill.jobs.submitting import no_job
from windmill.operate.jobs.given_files import GivenFiles
from windmill.operate.jobs.preset_orders import draw_seed
from windmill.pipelines.presets.known_steps import RERUN_JOB
from windmill.pipelines.presets.planned_steps import PlannedStep, plan_steps
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_job import Rerun
from windmill.pipelines.presets.preset_library import PresetLibrary
from windmill.pipelines.presets.preset_request import PresetRequest, consents_of, read_request
from windmill.pipelines.values import read_values
from windmill.storage.jobs.rows import GivenConsent, StoredArtifact
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

_FAILED = ("failed", "expired", "cancelled")
_MOST_FOLLOWED = 10


@dataclass(frozen=True)
class JobOrder:
    """What a job of a preset was asked for. `confirmed`: whether somebody has given a consent for it."""

    job_id: int
    public_id: uuid.UUID
    status: str
    preset: str
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    confirmed: bool


@dataclass(frozen=True)
class FoundReruns:
    """By the steps that stand for them, with the files of those jobs and what was confirmed for them."""

    reruns: Mapping[str, Rerun]
    files: Sequence[StoredArtifact] = ()
    consents: Sequence[GivenConsent] = ()


async def find_reruns(
    given: GivenFiles, library: PresetLibrary, request: PresetRequest, confirmed_by: str | None = None
) -> FoundReruns:
    """Raises USAGE, NOT_FOUND, CONFLICT or CONSENT_MISSING for a job that cannot be run again in this way."""
    if not _repairs(request.preset):
        return FoundReruns({})
    found: dict[str, Rerun] = {}
    files: list[StoredArtifact] = []
    consents: dict[str, GivenConsent] = {}
    for step in plan_steps(request):
        if step.run == RERUN_JOB.name and not step.skipped:
            rerun, order = await _follow(given, library, step)
            found[step.name] = rerun
            files += [replace(file, name=f"{step.name}.{file.name}") for file in await given.of_job(order.job_id)]
            confirmed = await _consents(given, order, rerun.request, confirmed_by)
            consents |= {one.text: one for one in confirmed}
    return FoundReruns(found, files, list(consents.values()))


async def _consents(
    given: GivenFiles, order: JobOrder, request: PresetRequest, confirmed_by: str | None
) -> list[GivenConsent]:
    """What was confirmed for the job, as it is asked for with the same files, or is confirmed now."""
    async with transaction(given.access.pool, given.access.settings) as connection:
        rows = await connection.fetch(queries()["show_job_consents"], order.job_id)
    reason = request.consent_reason
    if reason and not rows and confirmed_by is None:
        raise WindmillError("CONSENT_MISSING", f"{request.preset.id} needs a confirmation, because {reason}")
    now = consents_of(request, confirmed_by) if confirmed_by is not None else []
    return [GivenConsent(**row) for row in rows] or now


async def _follow(given: GivenFiles, library: PresetLibrary, step: PlannedStep) -> tuple[Rerun, JobOrder]:
    """The job that a step names; one that is itself such a repair stands for the job that it was to repair."""
    asked = read_values(RERUN_JOB.parameters, step.parameters[0])
    without: frozenset[str] = frozenset()
    for _ in range(_MOST_FOLLOWED):
        order = await read_job_order(given, _id(asked["job"]))
        if order.status not in _FAILED:
            raise WindmillError(
                "CONFLICT", f"job {order.public_id} is {order.status}; only one that failed is repaired"
            )
        if asked["other_engine"]:
            without |= await _failed_engines(given, order.job_id)
        request = _request(library, order, asked.get("quality"))
        inner = [one for one in plan_steps(request) if one.run == RERUN_JOB.name and not one.skipped]
        if not inner:
            return Rerun(request, order.parameters.get("engines") or (), without), order
        asked = {**asked, "job": inner[0].parameters[0]["job"]}
    raise WindmillError("USAGE", f"more than {_MOST_FOLLOWED} jobs repair one another", "repair the first of them")


async def read_job_order(given: GivenFiles, public_id: uuid.UUID) -> JobOrder:
    """Raises NOT_FOUND, also for a job of another principal, and USAGE for a job that no preset has made."""
    async with transaction(given.access.pool, given.access.settings) as connection:
        row = await connection.fetchrow(queries()["read_job_order"], public_id, given.principal)
    if row is None:
        raise no_job(public_id)
    if row["preset"] is None:
        said = f"job {public_id} was not made of a preset"
        raise WindmillError("USAGE", said, f"run it again as it is: python -m windmill jobs retry {public_id}")
    documents = {name: parse_object(row[name]) for name in ("inputs", "parameters")}
    return JobOrder(**{**row, **documents})


async def _failed_engines(given: GivenFiles, job_id: int) -> frozenset[str]:
    """Those that were to blame for a failure, or whose operator was; the job's own mistakes fail with any engine."""
    async with transaction(given.access.pool, given.access.settings) as connection:
        rows = await connection.fetch(queries()["list_failed_engines"], job_id)
    to_blame = [row for row in rows if _culprit(row["error_code"]) in ("service", "operator")]
    return frozenset(name for row in to_blame for name in orjson.loads(row["engines"]))


def _culprit(code: str) -> str:
    return next((spec.culprit for name, spec in ERROR_CODES.items() if name == code), "nobody")


def _request(library: PresetLibrary, order: JobOrder, quality: str | None) -> PresetRequest:
    """What was asked for, at another quality; a preset that runs other jobs again has none of its own to change."""
    preset = library.get(order.preset).preset
    level = order.parameters.get("quality") if _repairs(preset) or quality is None else quality
    return read_request(preset, order.inputs, level, consent_given=True, draw_seed=draw_seed)


def _repairs(preset: Preset) -> bool:
    """Whether a step of it runs another job again."""
    return any(step.run == RERUN_JOB.name for step in preset.steps)


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise WindmillError("USAGE", f"{text!r:.80} is not the id of a job") from error
