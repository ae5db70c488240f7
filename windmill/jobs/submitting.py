"""A new job, unless the same one is there already."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.core.jsonb import render_jsonb
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.advancing import advance
from windmill.jobs.job_book import JobBook
from windmill.jobs.locked_job import close_book, open_book
from windmill.jobs.measured_times import MeasuredStep, measure_steps
from windmill.jobs.rerunning import rerun_within
from windmill.storage.artifacts.table import GIVEN
from windmill.storage.database import Connection
from windmill.storage.jobs.claims import save_artifacts
from windmill.storage.jobs.rows import (
    Document,
    GivenConsent,
    JobRow,
    OpenTasks,
    StoredArtifact,
    TaskKey,
    read_row,
    read_step_rows,
)
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

OnDuplicate = Literal["return", "reject", "rerun_if_failed"]


@dataclass(frozen=True)
class NewStep:
    """A step of a new job. With a `skip_reason` it is shown as skipped, and never runs. `weight` is its share of the
    job's progress, `cost` the seconds that one of its tasks takes; both are measured where they are not given."""

    step: str
    version: int
    streams: bool = False
    parameters: Document = field(default_factory=dict)
    weight: float | None = None
    cost: float | None = None
    skip_reason: str | None = None


@dataclass(frozen=True)
class NewJob:
    """What is submitted. `idempotency_key` names this request, whose digest tells it from another one under the same
    key; `dedupe_key` names the same work however often it is asked for."""

    kind: str
    steps: Sequence[NewStep]
    inputs: Document = field(default_factory=dict)
    parameters: Document = field(default_factory=dict)
    preset: str | None = None
    preset_version: int | None = None
    priority: int = 0
    principal: str = ""
    idempotency_key: str | None = None
    request_digest: str | None = None
    dedupe_key: str | None = None
    on_duplicate: OnDuplicate = "rerun_if_failed"
    deadline: datetime | None = None
    failure_budget: int = 0
    files: Sequence[StoredArtifact] = ()
    """What it is given: in the store already, and each named INPUT/NUMBER."""
    consents: Sequence[GivenConsent] = ()
    webhook_id: uuid.UUID | None = None
    """Who is told of what happens to it, beside those who are told of all jobs."""


@dataclass(frozen=True)
class Submitted:
    """The job that stands for what was submitted; it is `new`, or was there before. `replayed`: the same request has
    made it."""

    change: Change
    new: bool
    replayed: bool = False


async def submit_job(access: JobAccess, new: NewJob) -> Submitted:
    """Write the job with the first piece of its first step."""
    async with transaction(access.pool, access.settings) as connection:
        return await submit_within(connection, access, new)


async def submit_within(connection: Connection, access: JobAccess, new: NewJob) -> Submitted:
    """The same within a transaction."""
    book = await insert_job(connection, new)
    if book is None:
        return await _duplicate(connection, access, new)
    return Submitted(await start_job(connection, access, book), new=True)


async def insert_job(connection: Connection, new: NewJob, *, forked_from: int | None = None) -> JobBook | None:
    """The new job with its steps; None if one with its keys is there."""
    if not new.steps:
        raise WindmillError("USAGE", "a job needs a step")
    measured = await measure_steps(connection, [step.step for step in new.steps])
    steps = [_columns(step, measured.get(step.step, _UNKNOWN)) for step in _effective(new.steps)]
    record = await connection.fetchrow(
        queries()["insert_job"],
        *(new.kind, new.preset, new.preset_version, render_jsonb(dict(new.inputs)), render_jsonb(dict(new.parameters))),
        *(new.priority, new.principal, new.idempotency_key, new.dedupe_key, forked_from),
        *(new.deadline, new.failure_budget, new.request_digest, new.webhook_id, *map(list, zip(*steps, strict=True))),
    )
    if record is None:
        return None
    job = read_row(JobRow, record)
    await save_artifacts(connection, TaskKey(job.job_id, GIVEN, 0), new.files)
    await _save_consents(connection, job.job_id, new.consents)
    return JobBook(job, read_step_rows(record["steps"]))


async def _save_consents(connection: Connection, job_id: int, consents: Sequence[GivenConsent]) -> None:
    if consents:
        columns = [[getattr(one, name) for one in consents] for name in ("text", "reason", "given_by", "given_at")]
        await connection.execute(queries()["insert_consents"], job_id, *columns)


def _effective(steps: Sequence[NewStep]) -> list[NewStep]:
    """Nothing comes before the first step that is not skipped, so it cannot stream."""
    found, first = list(steps), True
    for place, step in enumerate(steps):
        if step.skip_reason is None:
            if first and step.streams:
                found[place] = NewStep(step.step, step.version, False, step.parameters, step.weight, step.cost)
            first = False
    return found


_UNKNOWN = MeasuredStep(1.0, 1.0)
"""What was never measured is taken for one task of one second."""


def _columns(step: NewStep, times: MeasuredStep) -> tuple[object, ...]:
    """What is written of a step, as `insert_job` takes it."""
    weight = times.step_seconds if step.weight is None else step.weight
    cost = times.task_seconds if step.cost is None else step.cost
    return step.step, step.version, step.streams, render_jsonb(dict(step.parameters)), weight, cost, step.skip_reason


async def start_job(connection: Connection, access: JobAccess, book: JobBook) -> Change:
    """Plan what can be planned of a job that was just written, of which nothing is open yet."""
    book.open_tasks = OpenTasks(running=False, queued=False, waiting=False)
    book.tell("queued")
    advance(book)
    return await close_book(connection, access, book)


async def _duplicate(connection: Connection, access: JobAccess, new: NewJob) -> Submitted:
    """The job that is there, run again if it failed and that is wanted."""
    found = await connection.fetchrow(
        queries()["find_job_by_keys"], new.principal, new.idempotency_key, new.kind, new.dedupe_key
    )
    if found is None:
        raise WindmillError("BUSY", "a job with the same key was removed meanwhile")
    same_request = found["same_request"]
    if same_request:
        _must_be_the_same(new, found["request_digest"])
    elif new.on_duplicate == "reject":
        raise WindmillError("CONFLICT", f"job {found['public_id']} does the same work")
    book = await open_book(connection, found["job_id"])
    assert book
    failed = book.job.status in ("failed", "cancelled", "expired")
    if failed and not same_request and new.on_duplicate == "rerun_if_failed":
        await rerun_within(connection, access, book)
        return Submitted(await close_book(connection, access, book), new=False)
    return Submitted(Change(book.job.job_id, book.job.public_id, book.job.status), new=False, replayed=same_request)


def _must_be_the_same(new: NewJob, digest: str | None) -> None:
    if new.request_digest and digest and new.request_digest != digest:
        raise WindmillError("IDEMPOTENCY_MISMATCH", "another request was made under this Idempotency-Key")


async def find_job(access: JobAccess, public_id: uuid.UUID, principal: str | None = None) -> int:
    """The key of a job by the id that users know; raises NOT_FOUND, too, if it is of another principal than this."""
    async with transaction(access.pool, access.settings) as connection:
        job_id = await connection.fetchval(queries()["find_job"], public_id, principal)
    if not isinstance(job_id, int):
        raise no_job(public_id)
    return job_id


def no_job(public_id: uuid.UUID) -> WindmillError:
    return WindmillError("NOT_FOUND", f"there is no job {public_id}", "list the jobs: python -m windmill jobs list")
