"""Jobs for the interfaces of other systems: one row each, which those tell in words of their own. `principal` is whose
jobs are seen, None all."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson

from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import find_job, no_job
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

SHORT_DIGITS = 24
MOST_FILES = 1_000


@dataclass(frozen=True)
class JobOutline:
    """Where a job stands. `given` and `made` are the digests of its first input and of its video or newest file;
    `stats` count what was seen in a video."""

    public_id: uuid.UUID
    preset: str | None
    status: str
    progress: float
    error_code: str | None
    message: str | None
    warnings: Sequence[str]
    quality: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime
    given: str | None
    made: str | None
    media_type: str | None
    stats: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class MadeFile:
    """A file that a job has made, by which step and which engine."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    step: str
    engine: str | None


async def show_outline(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> JobOutline:
    """Raises NOT_FOUND."""
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["show_job_outline"], public_id, principal)
    if row is None:
        raise no_job(public_id)
    return _outline(row)


async def list_outlines(
    access: JobAccess, statuses: Sequence[str] | None, fresh: bool | None, limit: int, principal: str | None
) -> list[JobOutline]:
    """The newest jobs in these states. `fresh` is True for those that run without any progress, False for others."""
    wanted = None if statuses is None else list(statuses)
    sql = queries()
    async with transaction(access.pool, access.settings) as rows:
        if principal is None:
            found = await rows.fetch(sql["list_all_job_outlines"], wanted, fresh, limit)
        else:
            found = await rows.fetch(sql["list_own_job_outlines"], wanted, fresh, limit, principal)
    return [_outline(row) for row in found]


async def list_made_files(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> list[MadeFile]:
    """What a job has made, the newest first."""
    job_id = await find_job(access, public_id, principal)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["list_made_files"], job_id, MOST_FILES)
    return [MadeFile(**row) for row in found]


def short_id(public_id: uuid.UUID) -> str:
    """The id of a job where ids have 24 hexadecimal digits: the first of them."""
    return public_id.hex[:SHORT_DIGITS]


async def find_short(access: JobAccess, short: str, principal: str | None) -> uuid.UUID:
    """The job that such an id means; raises NOT_FOUND."""
    rest = 32 - SHORT_DIGITS
    low, high = uuid.UUID(short + "0" * rest), uuid.UUID(short + "f" * rest)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetchval(queries()["find_job_between"], low, high, principal)
    if found is None:
        raise no_job(low)
    return uuid.UUID(str(found))


def _outline(row: object) -> JobOutline:
    values = dict(row.items())  # type: ignore[attr-defined] # the driver's record
    stats = orjson.loads(values["stats"]) if values["stats"] else None
    values |= {"warnings": orjson.loads(values["warnings"]), "stats": stats}
    return JobOutline(**{field.name: values[field.name] for field in fields(JobOutline)})
