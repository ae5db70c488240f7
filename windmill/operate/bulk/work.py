"""An action on many jobs that this process does, and what it writes of each job in the transaction that changes it."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from windmill.core.errors import Code, WindmillError
from windmill.core.jsonb import parse_object, render_jsonb
from windmill.jobs.access import JobAccess
from windmill.operate.bulk.wanted import BulkRequest, request_of
from windmill.operate.jobs.job_filter import FoundJob
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.leased_work import LEASE_SECONDS, LeaseLost
from windmill.storage.audit_log import Actor
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import JobRow
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

PASSED_OVER: tuple[Code, ...] = ("CONFLICT", "NOT_FOUND", "USAGE")
"""What one job may be refused with while the others go on."""


@dataclass(frozen=True)
class BulkWork:
    """A row of `bulk_actions` that was leased."""

    bulk_id: uuid.UUID
    undoing: bool
    actor: Actor
    sees: str | None
    request: BulkRequest
    job_ids: list[int] | None
    last: int


async def lease_bulk(access: JobAccess, token: uuid.UUID) -> BulkWork | None:
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["lease_bulk"], token, LEASE_SECONDS)
    if row is None:
        return None
    actor = Actor(row["principal"], row["key_prefix"], row["request_id"])
    request = request_of(parse_object(row["request"]))
    undoing = row["status"] == "undoing"
    return BulkWork(row["bulk_id"], undoing, actor, row["sees"], request, row["job_ids"], row["last_job_id"])


async def hold_bulk(access: JobAccess, work: BulkWork, token: uuid.UUID) -> None:
    """Renew the lease; raises LeaseLost."""
    async with transaction(access.pool, access.settings) as rows:
        if await rows.fetchval(queries()["hold_bulk"], work.bulk_id, token, LEASE_SECONDS) is None:
            raise LeaseLost


async def end_bulk(access: JobAccess, work: BulkWork, token: uuid.UUID, status: str, undo: float | None) -> None:
    async with transaction(access.pool, access.settings) as rows:
        await rows.fetchval(queries()["end_bulk"], work.bulk_id, token, status, undo)


@dataclass(frozen=True)
class Before:
    """What an action can change of a job, as it was."""

    status: str
    priority: int
    paused_by: str | None = None
    pause_reason: str | None = None
    paused_until: datetime | None = None

    def document(self) -> dict[str, Any]:
        until = self.paused_until
        return {**vars(self), "paused_until": until.isoformat() if until else None}


def before_of(document: dict[str, Any]) -> Before:
    until = document.get("paused_until")
    return Before(**{**document, "paused_until": datetime.fromisoformat(until) if until else None})


class NotedChange:
    """A ChangeWitness: notes the job as it was, beside the row of the audit log."""

    def __init__(self, work: BulkWork) -> None:
        self._work = work
        self._audit = RecordedChange(work.actor, f"jobs.{work.request.verb}")

    def opened(self, job: JobRow) -> None:
        self._audit.opened(job)

    async def closing(self, connection: Connection, before: JobRow, after: JobRow) -> None:
        await self._audit.closing(connection, before, after)
        was = Before(before.status, before.priority, before.paused_by, before.pause_reason, before.paused_until)
        job = FoundJob(after.job_id, after.public_id)
        await note_item(connection, self._work, job, "done", was)


class UndoneChange:
    """A ChangeWitness: the job must still be as the action left it, and its item says that it was changed back."""

    def __init__(self, work: BulkWork, *, priority: int | None = None, status: str | None = None) -> None:
        self._work, self._priority, self._status = work, priority, status
        self._audit = RecordedChange(work.actor, "jobs.bulk_undo")

    def opened(self, job: JobRow) -> None:
        if self._status not in (None, job.status) or self._priority not in (None, job.priority):
            raise WindmillError("CONFLICT", "the job was changed since")

    async def closing(self, connection: Connection, before: JobRow, after: JobRow) -> None:
        await self._audit.closing(connection, before, after)
        await change_item(connection, self._work, after.job_id, "undone")


async def note_item(
    rows: Connection,
    work: BulkWork,
    job: FoundJob,
    outcome: str,
    before: Before | None = None,
    error: WindmillError | None = None,
) -> None:
    told = (error.code, error.message) if error else (None, None)
    document = render_jsonb(before.document()) if before else None
    await rows.execute(queries()["note_bulk_item"], work.bulk_id, *job, outcome, document, *told)


async def change_item(
    rows: Connection, work: BulkWork, job_id: int, outcome: str, error: WindmillError | None = None
) -> None:
    told = (error.code, error.message) if error else (None, None)
    await rows.execute(queries()["change_bulk_item"], work.bulk_id, job_id, outcome, *told)


def watched(access: JobAccess, witness: NotedChange | UndoneChange | RecordedChange) -> JobAccess:
    return replace(access, witness=witness)
