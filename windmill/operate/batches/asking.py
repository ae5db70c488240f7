"""Asking for a batch, and what became of its items. `principal` is whose batches are seen, None for all; those of
others are not found."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from windmill.core.errors import WindmillError
from windmill.core.jsonb import render_jsonb
from windmill.jobs.access import JobAccess
from windmill.jobs.states import ENDED_JOBS
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST_ITEMS = 10_000
BatchStatus = Literal["in_progress", "completed", "cancelling", "cancelled"]


@dataclass(frozen=True)
class BatchItem:
    """A job that is asked for; `custom_id` is what the asker calls it."""

    request: Mapping[str, Any]
    custom_id: str | None = None


@dataclass(frozen=True)
class Batch:
    """A batch, with the number of its items in each state."""

    batch_id: uuid.UUID
    principal: str
    name: str
    items: int
    created_at: datetime
    cancelled_at: datetime | None
    unfinished: bool
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def status(self) -> BatchStatus:
        settled = sum(self.counts.get(one, 0) for one in (*ENDED_JOBS, "rejected", "removed"))
        over = not self.unfinished and settled == self.items
        if self.cancelled_at is not None:
            return "cancelled" if over else "cancelling"
        return "completed" if over else "in_progress"


@dataclass(frozen=True)
class ItemResult:
    """What became of an item so far: the state of its job, or `pending`, `rejected` or `removed`."""

    number: int
    custom_id: str | None
    public_id: uuid.UUID | None
    status: str
    error_code: str | None
    message: str | None
    progress: float | None
    ended_at: datetime | None


async def begin_batch(
    access: JobAccess, actor: Actor, sees: str | None, items: Sequence[BatchItem], name: str = ""
) -> Batch:
    """Let the servers make the jobs; raises USAGE for too many, or for two with one custom id."""
    if not 0 < len(items) <= MOST_ITEMS:
        raise WindmillError("USAGE", f"a batch has from 1 to {MOST_ITEMS:,} items, and this one {len(items):,}")
    named = [item.custom_id for item in items if item.custom_id is not None]
    if len(set(named)) < len(named):
        raise WindmillError("USAGE", "two items have the same custom_id")
    async with transaction(access.pool, access.settings) as rows:
        batch_id: uuid.UUID = await rows.fetchval(
            queries()["insert_batch"],
            *(actor.principal, sees, actor.key_prefix, actor.request_id, name, len(items)),
        )
        requests = [render_jsonb(dict(item.request)) for item in items]
        await rows.execute(queries()["insert_batch_items"], batch_id, [item.custom_id for item in items], requests)
        await write_audit(rows, actor, "batches.create", str(batch_id), None, {"items": len(items)})
        return await _read(rows, batch_id, None)


async def show_batch(access: JobAccess, batch_id: uuid.UUID, principal: str | None) -> Batch:
    async with transaction(access.pool, access.settings) as rows:
        return await _read(rows, batch_id, principal)


async def page_of_batches(
    access: JobAccess, principal: str | None, before: tuple[datetime, uuid.UUID] | None, limit: int
) -> list[Batch]:
    """The next before this one, the newest first."""
    at, last = before or (None, None)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["page_of_batches"], principal, at, limit, last)
        return [await _counted(rows, row) for row in found]


async def cancel_batch(access: JobAccess, actor: Actor, batch_id: uuid.UUID, principal: str | None) -> Batch:
    """Make no more jobs, and cancel those that there are; done again, it changes nothing."""
    async with transaction(access.pool, access.settings) as rows:
        before = await _read(rows, batch_id, principal)
        if before.status in ("in_progress", "cancelling"):
            await rows.execute(queries()["cancel_batch"], batch_id)
            await write_audit(rows, actor, "batches.cancel", str(batch_id), None, None)
        return await _read(rows, batch_id, principal)


async def page_of_results(
    access: JobAccess, batch_id: uuid.UUID, principal: str | None, after: int, limit: int
) -> list[ItemResult]:
    """The next items after the one with this number."""
    async with transaction(access.pool, access.settings) as rows:
        await _read(rows, batch_id, principal)
        return [ItemResult(**row) for row in await rows.fetch(queries()["page_of_batch_items"], batch_id, after, limit)]


async def _read(rows: Connection, batch_id: uuid.UUID, principal: str | None) -> Batch:
    row = await rows.fetchrow(queries()["show_batch"], batch_id, principal)
    if row is None:
        raise WindmillError("NOT_FOUND", f"there is no batch {batch_id}", "list them: GET /batches")
    return await _counted(rows, row)


async def _counted(rows: Connection, row: Any) -> Batch:  # noqa: ANN401 - the driver's record
    found = await rows.fetch(queries()["count_batch_items"], row["batch_id"])
    names = ("batch_id", "principal", "name", "items", "created_at", "cancelled_at", "unfinished")
    return Batch(**{name: row[name] for name in names}, counts={one["status"]: one["items"] for one in found})
