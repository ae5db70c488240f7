"""Jobs, their steps and their events, read from the database."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from windmill.core.setting_parts import DatabaseSettings
from windmill.jobs.measured_times import measure_steps
from windmill.jobs.submitting import no_job
from windmill.operate.jobs import remote
from windmill.operate.jobs.job_filter import JobFilter
from windmill.operate.jobs.outlook import StepOutlook, missing_worker, seconds_left, tasks_ahead
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.storage import database
from windmill.storage.queries import queries

_DOCUMENTS = frozenset({"warnings", "data", "inputs", "parameters", "facts", "before", "after"})
"""Columns that hold JSON."""
NEWEST = 2**63 - 1


@over_http(remote.list_jobs)
async def list_jobs(
    settings: DatabaseSettings, chosen: JobFilter, limit: int, before: uuid.UUID | None = None
) -> list[Shown]:
    """The newest jobs that match; with `before` only those submitted before that one, else NOT_FOUND if it is gone."""
    async with database.connection(settings, "windmill jobs") as rows:
        first = await _key(rows, before) if before else NEWEST
        return [shown(row) for row in await rows.fetch(queries()["list_jobs"], *chosen.arguments, first, limit)]


async def _key(rows: database.Connection, public_id: uuid.UUID, principal: str | None = None) -> int:
    job_id = await rows.fetchval(queries()["find_job"], public_id, principal)
    if not isinstance(job_id, int):
        raise no_job(public_id)
    return job_id


@over_http(remote.show_job)
async def show_job(settings: DatabaseSettings, public_id: uuid.UUID) -> Shown:
    """A job with its steps, what it cost so far, and while it goes on when it will be done; raises NOT_FOUND."""
    async with database.connection(settings, "windmill jobs") as rows:
        return shown_job(await read_job(rows, public_id))


async def read_job(rows: database.Connection, public_id: uuid.UUID, principal: str | None = None) -> Shown:
    """The same with its key, `job_id`, and times and ids as values; NOT_FOUND, too, if it is of another principal than
    this."""
    job = await rows.fetchrow(queries()["show_job"], public_id, principal)
    if job is None:
        raise no_job(public_id)
    steps = await rows.fetch(queries()["show_steps"], job["job_id"])
    outlook = await _read_outlook(rows, job["job_id"]) if job["status"] in ("queued", "running") else {}
    cost = {"cost_seconds": round(sum(step["ran"] for step in steps), 3)}
    return {**values(job), "job_id": job["job_id"], **cost, **outlook, "steps": values_of(steps)}


def shown_job(job: Shown) -> Shown:
    """What `read_job` found, as JSON."""
    return {**shown(job), "steps": [shown(step) for step in job["steps"]]}


async def _read_outlook(rows: database.Connection, job_id: int) -> Shown:
    found = [StepOutlook(**row) for row in await rows.fetch(queries()["list_step_outlooks"], job_id)]
    measured = await measure_steps(rows, [step.step for step in found])
    missing = missing_worker(found)
    waits_for = {"waits_for": str(missing)} if missing else {}
    return {"tasks_ahead": tasks_ahead(found), "eta_seconds": seconds_left(found, measured), **waits_for}


@over_http(remote.list_events)
async def list_events(settings: DatabaseSettings, public_id: uuid.UUID, after: int, limit: int) -> list[Shown]:
    """What has happened to a job since the event `after`; raises NOT_FOUND."""
    async with database.connection(settings, "windmill jobs") as rows:
        return await read_events(rows, public_id, after, limit)


async def read_events(
    rows: database.Connection, public_id: uuid.UUID, after: int, limit: int, principal: str | None = None
) -> list[Shown]:
    """The same over this connection; NOT_FOUND, too, if it is of another principal than this."""
    job_id = await _key(rows, public_id, principal)
    return [shown(row) for row in await rows.fetch(queries()["list_events"], job_id, after, limit)]


def shown(row: Any) -> Shown:  # noqa: ANN401 - the driver's record
    """A row as JSON."""
    return {name: _text(value) for name, value in values(row).items()}


def values(row: Any) -> Shown:  # noqa: ANN401 - the driver's record
    """A row with its documents parsed. Times and ids stay values: whoever writes them as JSON in another way need not
    read them first."""
    return values_of([row])[0]


def values_of(rows: Sequence[Any]) -> list[Shown]:
    """The same of all rows of a statement, whose columns are looked at once."""
    names = tuple(rows[0].keys()) if rows else ()
    documents = _DOCUMENTS.intersection(names)
    found = [dict(zip(names, row.values(), strict=True)) for row in rows]
    for one in found:
        one.pop("job_id", None)
        for name in documents:
            if isinstance(document := one[name], str):
                one[name] = orjson.loads(document)
    return found


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value
