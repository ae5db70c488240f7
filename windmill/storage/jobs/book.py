"""A job and its steps, read under the lock on the job's row, and written back in the same transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from windmill.core.jsonb import render_jsonb
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import (
    EndedTask,
    JobEventRow,
    JobRow,
    NewTask,
    OpenTasks,
    StepRow,
    read_row,
    read_step_rows,
)
from windmill.storage.queries import queries


class SeenUnder(NamedTuple):
    """The lease of the task whose claim ends, and the version that the row of its job had."""

    lease: uuid.UUID
    version: int


@dataclass(frozen=True)
class BookChanges:
    """All that is written of a job at once. New tasks with a lease are claimed for so many seconds by the worker; all
    are cancelled if the job `cancels_open` tasks. With `seen` the job is not locked: all is written if it is as it was
    seen, and the ended task still leased."""

    job: JobRow
    ended: bool
    cancels_open: bool
    events: Sequence[JobEventRow]
    steps: Sequence[StepRow]
    task: EndedTask | None
    new_tasks: Sequence[NewTask]
    lease_seconds: float
    worker: str | None
    seen: SeenUnder | None


class Saved(NamedTuple):
    """The version that the job's row has now, and the lease of the new task that was claimed, if one was."""

    version: int
    lease: uuid.UUID | None


async def lock_job(connection: Connection, job_id: int, *, only_idle: bool = False) -> JobRow | None:
    """Lock the job until the transaction ends. With `only_idle` nothing is locked, and None returned, if somebody else
    has it."""
    statement = queries()["lock_idle_job"] if only_idle else queries()["lock_job"]
    record = await connection.fetchrow(statement, job_id)
    return read_row(JobRow, record) if record else None


async def read_steps(connection: Connection, job_id: int) -> list[StepRow]:
    return read_step_rows(await connection.fetchval(queries()["read_steps"], job_id))


async def save_book(connection: Connection, changes: BookChanges) -> Saved | None:
    """Write the job's row, the steps that have changed and its tasks, and append the events. None, and nothing written,
    if the job or the lease is not as it was seen."""
    job, numbers = changes.job, range(1, len(changes.events) + 1)
    columns = {name: getattr(job, name) for name in _JOB_COLUMNS}
    events = [{"number": number, **vars(event)} for number, event in zip(numbers, changes.events, strict=True)]
    steps = [{name: getattr(step, name) for name in _STEP_COLUMNS} for step in changes.steps]
    record = await connection.fetchrow(
        queries()["save_book"],
        *(job.job_id, render_jsonb({**columns, "ended": changes.ended}), render_jsonb(events), render_jsonb(steps)),
        *(render_jsonb(changes.task) if changes.task else None, render_jsonb(changes.new_tasks)),
        *(changes.lease_seconds, changes.worker, changes.cancels_open, *(changes.seen or (None, None))),
    )
    return Saved(record["version"], record["lease"]) if record else None


_JOB_COLUMNS = ("status", "ends_as", "priority", "attempt", "progress", "error_code", "message", "warnings",
                "paused_by", "pause_reason", "paused_until")  # fmt: skip
_STEP_COLUMNS = ("position", "status", "planned", "plan_cursor", "settled", "failed", "waited", "ran", "reused")


async def find_open_tasks(connection: Connection, job_id: int, ended: EndedTask | None) -> OpenTasks:
    """Those that there are now; the one whose claim ends is not counted as running."""
    own = (ended.position, ended.shard) if ended else (None, None)
    record = await connection.fetchrow(queries()["find_open_tasks"], job_id, *own)
    assert record
    return OpenTasks(**record)
