"""A job for those who look at it: what it was asked for, when its tasks waited and ran, its files, and the jobs that it
came of or that came of it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import find_job
from windmill.operate.jobs.details import read_details
from windmill.operate.jobs.event_words import event_words
from windmill.operate.jobs.shown import Shown
from windmill.operate.jobs.timeline import FailedTry, Span, StepRow, TaskRow, Timeline, timeline
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST_TASKS, MOST_LOOKED_AT = 60, 5_000
"""Tasks of a step that are shown one by one, and of a job that are looked at for that."""
MOST_RELATED = 20
NEWEST = 2**63 - 1


@dataclass(frozen=True)
class RelatedJob:
    """Another job: `fork` of this one, `source` of a file it was given, or `user` of a file it has made."""

    relation: str
    public_id: uuid.UUID
    preset: str | None
    status: str
    file: str | None


@dataclass(frozen=True)
class WholeJob:
    """`told` is what `read_details` tells."""

    told: Shown
    timeline: Timeline
    related: tuple[RelatedJob, ...]


async def read_whole_job(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> WholeJob:
    """Raises NOT_FOUND."""
    job_id = await find_job(access, public_id, principal)
    async with transaction(access.pool, access.settings) as rows:
        told = await read_details(rows, public_id, principal)
        line = await _read_timeline(rows, job_id, told["steps"])
        related = await rows.fetch(queries()["find_related_jobs"], job_id, principal, MOST_RELATED)
    return WholeJob(told, line, tuple(RelatedJob(**row) for row in related))


async def _read_timeline(rows: Connection, job_id: int, steps: Sequence[Shown]) -> Timeline:
    tasks = await rows.fetch(queries()["list_timeline_tasks"], job_id, MOST_LOOKED_AT, MOST_TASKS)
    tries = await rows.fetch(queries()["list_failed_tries"], job_id, MOST_LOOKED_AT)
    job = await rows.fetchrow(queries()["show_job_span"], job_id)
    assert job
    span = Span.of(job["created_at"], job["ended_at"], datetime.now(UTC))
    return timeline(
        span, [_step(one) for one in steps], [TaskRow(**one) for one in tasks], [FailedTry(**one) for one in tries]
    )


def _step(row: Any) -> StepRow:  # noqa: ANN401 - the driver's record, or what is told of it
    values: dict[str, Any] = {one.name: row[one.name] for one in fields(StepRow)}
    return StepRow(**{**values, "started_at": _moment(row["started_at"]), "ended_at": _moment(row["ended_at"])})


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, datetime) else None


@dataclass(frozen=True)
class LogFilter:
    """Which events are shown; None is any. `before` is the number of an event."""

    levels: Sequence[str] | None = None
    step: int | None = None
    before: int = NEWEST


@dataclass(frozen=True)
class LogLine:
    """An event in words; `who` is the job, or a step with the number of its shard."""

    seq: int
    at: datetime
    level: str
    who: str
    said: str


async def read_log(
    access: JobAccess, public_id: uuid.UUID, principal: str | None, wanted: LogFilter, limit: int
) -> list[LogLine]:
    """The newest first; raises NOT_FOUND."""
    job_id = await find_job(access, public_id, principal)
    levels = None if wanted.levels is None else list(wanted.levels)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["read_job_log"], job_id, levels, wanted.step, wanted.before, limit)
    return [_line(row) for row in found]


def _line(row: Any) -> LogLine:  # noqa: ANN401 - the driver's record
    who = "job" if row["step"] is None else row["step"]
    who += "" if row["shard"] is None else f" {row['shard'] + 1}"
    data = orjson.loads(row["data"])
    return LogLine(row["seq"], row["at"], row["level"], who, event_words(row["kind"], data))
