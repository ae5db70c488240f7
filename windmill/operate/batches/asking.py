"""Asking for a batch of jobs or of images, and what became of its items. `principal` is whose batches are seen, None
for all; those of others are not found."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from windmill.core.errors import WindmillError
from windmill.core.jsonb import render_jsonb
from windmill.jobs.access import JobAccess
from windmill.jobs.states import ENDED_JOBS
from windmill.operate.jobs.recorded_change import charge
from windmill.operate.same_request import made_before
from windmill.storage.api_keys import ApiKey
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST_ITEMS = 10_000
BatchStatus = Literal["in_progress", "completed", "cancelling", "cancelled"]


ImageSelection = Literal["missing", "all"]


@dataclass(frozen=True)
class BatchItem:
    """A job that is asked for, or an image; `custom_id` is what the asker calls it."""

    request: Mapping[str, Any] = field(default_factory=dict)
    custom_id: str | None = None
    image_id: int | None = None


@dataclass(frozen=True)
class AskedServices:
    """Whom a batch of images asks: for what is `missing`, or for `all` anew."""

    names: tuple[str, ...]
    selection: ImageSelection = "missing"


@dataclass(frozen=True)
class BatchAsk:
    """Who asks, whose files and jobs they see (None: all), and for what: jobs, or images at `services`. The key of the
    gateway is charged for a batch of images, which counts as one job. The idempotency key names this request, whose
    digest tells it from another one under the same key."""

    actor: Actor
    sees: str | None
    items: Sequence[BatchItem]
    name: str = ""
    services: AskedServices | None = None
    key: ApiKey | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None


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
    services: tuple[str, ...] = ()
    """Of a batch of images; one of jobs has none."""
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def status(self) -> BatchStatus:
        settled = sum(self.counts.get(one, 0) for one in (*ENDED_JOBS, "rejected", "removed"))
        over = not self.unfinished and settled == self.items
        if self.cancelled_at is not None:
            return "cancelled" if over else "cancelling"
        return "completed" if over else "in_progress"


@dataclass(frozen=True)
class BegunBatch:
    """The batch that stands for the request; `replayed` if the same request began it before."""

    batch: Batch
    replayed: bool = False


@dataclass(frozen=True)
class ItemResult:
    """What became of an item so far: the state of its job or image, or `pending`, `rejected` or `removed`."""

    number: int
    custom_id: str | None
    public_id: uuid.UUID | None
    status: str
    error_code: str | None
    message: str | None
    progress: float | None
    ended_at: datetime | None
    image_id: int | None = None


async def begin_batch(access: JobAccess, ask: BatchAsk) -> BegunBatch:
    """Let the servers make the jobs, or submit the images; raises USAGE for too many, or for two with one custom id."""
    _must_be_sound(ask.items)
    actor, asked = ask.actor, ask.services
    async with transaction(access.pool, access.settings) as rows:
        batch_id: uuid.UUID | None = await rows.fetchval(
            queries()["insert_batch"],
            *(actor.principal, ask.sees, actor.key_prefix, actor.request_id, ask.name, len(ask.items)),
            *(list(asked.names) if asked else None, asked.selection if asked else None),
            *(ask.idempotency_key, ask.request_digest),
        )
        if batch_id is None:
            before = await rows.fetchrow(queries()["find_batch_by_key"], actor.principal, ask.idempotency_key)
            return BegunBatch(await read_batch(rows, made_before(before, ask.request_digest), None), replayed=True)
        await _insert_items(rows, batch_id, ask.items)
        if asked and ask.key:
            await charge(rows, ask.key)
        await write_audit(rows, actor, "batches.create", str(batch_id), None, {"items": len(ask.items)})
        return BegunBatch(await read_batch(rows, batch_id, None))


async def _insert_items(rows: Connection, batch_id: uuid.UUID, items: Sequence[BatchItem]) -> None:
    requests = [render_jsonb(dict(item.request)) for item in items]
    columns = ([item.custom_id for item in items], requests, [item.image_id for item in items])
    await rows.execute(queries()["insert_batch_items"], batch_id, *columns)


def _must_be_sound(items: Sequence[BatchItem]) -> None:
    if not 0 < len(items) <= MOST_ITEMS:
        raise WindmillError("USAGE", f"a batch has from 1 to {MOST_ITEMS:,} items, and this one {len(items):,}")
    named = [item.custom_id for item in items if item.custom_id is not None]
    if len(set(named)) < len(named):
        raise WindmillError("USAGE", "two items have the same custom_id")


async def show_batch(access: JobAccess, batch_id: uuid.UUID, principal: str | None) -> Batch:
    async with transaction(access.pool, access.settings) as rows:
        return await read_batch(rows, batch_id, principal)


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
        before = await read_batch(rows, batch_id, principal)
        if before.status in ("in_progress", "cancelling"):
            await rows.execute(queries()["cancel_batch"], batch_id)
            await write_audit(rows, actor, "batches.cancel", str(batch_id), None, None)
        return await read_batch(rows, batch_id, principal)


async def page_of_results(
    access: JobAccess, batch_id: uuid.UUID, principal: str | None, after: int, limit: int
) -> list[ItemResult]:
    """The next items after the one with this number."""
    async with transaction(access.pool, access.settings) as rows:
        if (await read_batch(rows, batch_id, principal)).services:
            found = await rows.fetch(queries()["page_of_batch_images"], batch_id, after, limit)
            return [_image_result(row) for row in found]
        return [ItemResult(**row) for row in await rows.fetch(queries()["page_of_batch_items"], batch_id, after, limit)]


def _image_result(row: Any) -> ItemResult:  # noqa: ANN401 - the driver's record
    ended = row["answered_at"] if row["status"] in ("succeeded", "failed") else None
    progress = row["answered"] / row["asked"]
    return ItemResult(row["number"], None, None, row["status"], None, None, progress, ended, row["image_id"])


async def batches_without_end(rows: Connection, but: Sequence[uuid.UUID], limit: int) -> list[uuid.UUID]:
    """The oldest batches that leave the servers nothing to do and have not ended."""
    return [row["batch_id"] for row in await rows.fetch(queries()["batches_without_end"], list(but), limit)]


async def read_batch(rows: Connection, batch_id: uuid.UUID, principal: str | None) -> Batch:
    """Over this connection; raises NOT_FOUND."""
    row = await rows.fetchrow(queries()["show_batch"], batch_id, principal)
    if row is None:
        raise WindmillError("NOT_FOUND", f"there is no batch {batch_id}", "list them: GET /batches")
    return await _counted(rows, row)


async def _counted(rows: Connection, row: Any) -> Batch:  # noqa: ANN401 - the driver's record
    services = tuple(row["services"] or ())
    count = queries()["count_batch_images"] if services else queries()["count_batch_items"]
    found = await rows.fetch(count, row["batch_id"])
    names = ("batch_id", "principal", "name", "items", "created_at", "cancelled_at", "unfinished")
    counts = {one["status"]: one["items"] for one in found}
    return Batch(**{name: row[name] for name in names}, services=services, counts=counts)
