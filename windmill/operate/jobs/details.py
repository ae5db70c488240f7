"""All that is known of a job in one document, for somebody who is to find out what went wrong with it. It is redacted,
but for prompts."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from windmill import VERSION
from windmill.core.errors import ERROR_CODES
from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.text.redaction import redactor
from windmill.kernels.text.structural_redaction import redact_by_structure
from windmill.operate.jobs import remote
from windmill.operate.jobs.reading import read_job, shown, shown_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.storage import database
from windmill.storage.queries import queries

MOST_FAILED = 100
"""Shards that are told one by one; `failed` of each step counts all."""
LAST_EVENTS = 20
_MODELS = ("checkpoint", "model")
"""Parameters that name what an engine works with."""


@over_http(remote.show_details)
async def show_details(settings: DatabaseSettings, public_id: uuid.UUID) -> Shown:
    """What `show_job` tells, and the request, the consents, failed shards, files, the last events, engines, models and
    versions; raises NOT_FOUND."""
    async with database.connection(settings, "windmill jobs") as rows:
        return await read_details(rows, public_id)


async def read_details(rows: database.Connection, public_id: uuid.UUID, principal: str | None = None) -> Shown:
    """The same over this connection; NOT_FOUND, too, if it is of another principal than this."""
    document = await _details(rows, await read_job(rows, public_id, principal))
    redacted: Shown = redact_by_structure(document, redactor())
    return redacted


async def _details(rows: database.Connection, job: Shown) -> Shown:
    async def listed(query: str, *more: object) -> list[Shown]:
        return [shown(row) for row in await rows.fetch(query, job["job_id"], *more)]

    (request,) = await listed(queries()["show_job_request"])
    parameters = await listed(queries()["show_step_parameters"])
    engines = await listed(queries()["show_step_engines"])
    told = shown_job(job)
    steps = [_step(step, parameters[place], engines, place) for place, step in enumerate(told["steps"])]
    return {
        **told,
        **request,
        "remedy": next((spec.remedy for code, spec in ERROR_CODES.items() if code == job["error_code"]), None),
        "consents": await listed(queries()["show_job_consents"]),
        "steps": steps,
        "failed_shards": await listed(queries()["show_failed_tasks"], MOST_FAILED),
        "artifacts": await listed(queries()["list_artifacts"]),
        "events": await listed(queries()["list_last_events"], LAST_EVENTS),
        "versions": {
            "windmill": VERSION,
            "preset": request["preset_version"],
            "steps": {step["step"]: step["version"] for step in steps},
        },
    }


def _step(step: Shown, more: Shown, engines: Sequence[Shown], place: int) -> Shown:
    used = [{name: one[name] for name in ("engine", "shards", "facts")} for one in engines if one["position"] == place]
    return {**step, **more, "engines": used, "models": models_of(more["parameters"])}


def models_of(parameters: Mapping[str, Any]) -> list[str]:
    """What an engine is told to work with."""
    runs = parameters.get("each") or [parameters]
    named = (run.get(name) for run in runs if isinstance(run, dict) for name in _MODELS)
    return list(dict.fromkeys(str(one) for one in named if one))
