"""A job and its steps, read under the lock on the job's row, and written back in the same transaction."""

from collections.abc import Sequence
from typing import NamedTuple

from windmill.core.jsonb import render_jsonb
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import JobEventRow, JobRow, StepRow, read_row
from windmill.storage.queries import queries


class OpenTasks(NamedTuple):
    """Which kinds of open tasks a job has."""

    running: bool
    queued: bool
    waiting: bool


async def lock_job(connection: Connection, job_id: int, *, only_idle: bool = False) -> JobRow | None:
    """Lock the job until the transaction ends. With `only_idle` nothing is locked, and None returned, if somebody else
    has it."""
    statement = queries()["lock_idle_job"] if only_idle else queries()["lock_job"]
    record = await connection.fetchrow(statement, job_id)
    return read_row(JobRow, record) if record else None


async def read_steps(connection: Connection, job_id: int) -> list[StepRow]:
    return [read_row(StepRow, record) for record in await connection.fetch(queries()["read_steps"], job_id)]


async def save_steps(connection: Connection, job_id: int, steps: Sequence[StepRow]) -> None:
    columns = ("position", "status", "planned", "plan_cursor", "settled", "failed", "waited", "ran")
    if steps:
        values = [[getattr(step, column) for step in steps] for column in columns]
        await connection.execute(queries()["save_steps"], job_id, *values)


async def save_job(connection: Connection, job: JobRow, events: Sequence[JobEventRow], *, ended: bool) -> None:
    """Write the job's row, and append its events."""
    await connection.execute(
        queries()["save_job"],
        *(job.job_id, job.status, job.ends_as, job.priority, job.attempt, job.progress, job.error_code, job.message),
        *(render_jsonb(list(job.warnings)), job.paused_by, job.pause_reason, job.paused_until, ended, len(events)),
        *([event.kind for event in events], [event.position for event in events], [event.shard for event in events]),
        *([event.level for event in events], [render_jsonb(dict(event.data)) for event in events]),
    )


async def find_open_tasks(connection: Connection, job_id: int) -> OpenTasks:
    record = await connection.fetchrow(queries()["find_open_tasks"], job_id)
    assert record
    return OpenTasks(**record)


async def read_running_progress(connection: Connection, job_id: int) -> dict[int, float]:
    """How much the running tasks of each step have done, as a number of shards."""
    records = await connection.fetch(queries()["read_running_progress"], job_id)
    return {record["position"]: record["done"] for record in records}
