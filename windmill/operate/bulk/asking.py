"""Asking for an action on many jobs: counted first, then kept for the servers to do; and what became of it."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.jsonb import parse_object, render_jsonb
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import no_job
from windmill.operate.bulk.wanted import UNDOABLE, BulkRequest, BulkVerb, action_of, request_of
from windmill.operate.jobs.job_filter import FoundJob, JobsCounted, count_jobs
from windmill.operate.same_request import made_before
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement, transaction

UNDO_SECONDS = 3_600.0
"""How long after its end an action can be undone."""
MOST_JOBS = 2**31 - 1


@dataclass(frozen=True)
class RefusedChange:
    """A job that was left as it was, and why."""

    job: uuid.UUID
    error_code: str
    message: str


@dataclass(frozen=True)
class BulkAction:
    """An action on `matched` jobs, and how many of them were changed, refused, changed back, or kept as they were."""

    bulk_id: uuid.UUID
    verb: BulkVerb
    principal: str
    status: str
    matched: int
    done: int
    refused: int
    undone: int
    kept: int
    created_at: datetime
    ended_at: datetime | None
    undo_until: datetime | None
    told: Sequence[RefusedChange]


@dataclass(frozen=True)
class BulkAsk:
    """Who asks, whose jobs they see (None: all), and for what; of these jobs, or of all that match. The key names this
    request, whose digest tells it from another one under the same key."""

    actor: Actor
    sees: str | None
    request: BulkRequest
    job_ids: Sequence[uuid.UUID] | None = None
    expect: int | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None


@dataclass(frozen=True)
class BegunBulk:
    """The action that stands for the request; `replayed` if the same request began it before."""

    bulk_id: uuid.UUID
    replayed: bool = False


async def preview_bulk(access: JobAccess, store: ArtifactStore, ask: BulkAsk) -> int:
    """How many jobs it would be; raises CONFLICT if others are expected."""
    return (await _matching(access, store, ask)).jobs


async def begin_bulk(access: JobAccess, store: ArtifactStore, ask: BulkAsk) -> BegunBulk:
    """Let the servers do it; jobs that come from now on are left alone. Asked again, nothing is counted anew: what is
    done already no longer matches."""
    if ask.idempotency_key is not None and (before := await _find_before(access, ask)) is not None:
        return BegunBulk(made_before(before, ask.request_digest), replayed=True)
    matching = await _matching(access, store, ask)
    named = None if ask.job_ids is None else [job.job_id for job in await _named(access, ask)]
    document, actor = ask.request.document(), ask.actor
    async with transaction(access.pool, access.settings) as rows:
        bulk_id: uuid.UUID | None = await rows.fetchval(
            queries()["insert_bulk"],
            *(actor.principal, ask.sees, actor.key_prefix, actor.request_id, render_jsonb(document)),
            *(named, min(matching.jobs, MOST_JOBS), matching.last, ask.idempotency_key, ask.request_digest),
        )
        if bulk_id is None:
            key = (actor.principal, ask.idempotency_key)
            before = await rows.fetchrow(queries()["find_bulk_by_key"], *key)
            return BegunBulk(made_before(before, ask.request_digest), replayed=True)
        told = {**document, "matched": matching.jobs}
        await write_audit(rows, actor, f"jobs.bulk_{ask.request.verb}", str(bulk_id), None, told)
    return BegunBulk(bulk_id)


async def _find_before(access: JobAccess, ask: BulkAsk) -> Any:  # noqa: ANN401 - the driver's record
    async with single_statement(access.pool, access.settings) as rows:
        return await rows.fetchrow(queries()["find_bulk_by_key"], ask.actor.principal, ask.idempotency_key)


async def _matching(access: JobAccess, store: ArtifactStore, ask: BulkAsk) -> JobsCounted:
    action = action_of(ask.request, ask.actor.principal, store)
    if ask.job_ids is not None:
        found = await _named(access, ask)
        counted = JobsCounted(len(found), max((job.job_id for job in found), default=0))
    else:
        counted = await count_jobs(access, ask.request.filter.seen_by(ask.sees).narrowed(action.statuses))
    if ask.expect is not None and counted.jobs != ask.expect:
        said = f"{counted.jobs:,} jobs match, and {ask.expect:,} are expected; nothing was done"
        raise WindmillError("CONFLICT", said, "look at them again, and say how many you expect")
    return counted


async def _named(access: JobAccess, ask: BulkAsk) -> list[FoundJob]:
    """Raises NOT_FOUND if one of them is not there, or of another principal."""
    wanted = list(dict.fromkeys(ask.job_ids or ()))
    async with transaction(access.pool, access.settings) as rows:
        found = [FoundJob(**row) for row in await rows.fetch(queries()["find_named_jobs"], wanted, ask.sees)]
    known = {job.public_id for job in found}
    for public_id in wanted:
        if public_id not in known:
            raise no_job(public_id)
    return found


async def show_bulk(access: JobAccess, bulk_id: uuid.UUID, principal: str | None) -> BulkAction:
    async with transaction(access.pool, access.settings) as rows:
        return await _read(rows, await _row(rows, queries()["show_bulk"], bulk_id, principal))


async def undo_bulk(access: JobAccess, actor: Actor, bulk_id: uuid.UUID, principal: str | None) -> BulkAction:
    """Let the servers change back what can be; asked for again, it changes nothing. Raises CONFLICT if it is too late,
    or cannot be."""
    async with transaction(access.pool, access.settings) as rows:
        row = await _row(rows, queries()["lock_bulk"], bulk_id, principal)
        if row["status"] not in ("undoing", "undone"):
            _must_be_undoable(row)
            await rows.execute(queries()["begin_bulk_undo"], bulk_id)
            await write_audit(rows, actor, "jobs.bulk_undo", str(bulk_id), None, None)
        return await _read(rows, await _row(rows, queries()["show_bulk"], bulk_id, principal))


def _must_be_undoable(row: Any) -> None:  # noqa: ANN401 - the driver's record
    verb = request_of(parse_object(row["request"])).verb
    if verb not in UNDOABLE:
        raise WindmillError("CONFLICT", f"{verb} cannot be undone", f"what can be: {', '.join(UNDOABLE)}")
    if row["status"] == "running":
        raise WindmillError("CONFLICT", "it is not done yet", "wait until its status is done")
    if not row["may_be_undone"]:
        raise WindmillError("CONFLICT", "it is too late to undo this", "change the jobs back by an action of its own")


async def _row(rows: Connection, statement: str, bulk_id: uuid.UUID, principal: str | None) -> Any:  # noqa: ANN401
    row = await rows.fetchrow(statement, bulk_id, principal)
    if row is None:
        raise WindmillError("NOT_FOUND", f"there is no action {bulk_id} on many jobs")
    return row


async def _read(rows: Connection, row: Any) -> BulkAction:  # noqa: ANN401 - the driver's record
    found = await rows.fetch(queries()["count_bulk_items"], row["bulk_id"])
    counts = Counter({one["outcome"]: one["jobs"] for one in found})
    told = await rows.fetch(queries()["tell_bulk_refusals"], row["bulk_id"])
    names = ("bulk_id", "principal", "status", "matched", "created_at", "ended_at", "undo_until")
    return BulkAction(
        verb=request_of(parse_object(row["request"])).verb,
        done=counts["done"],
        refused=counts["refused"],
        undone=counts["undone"],
        kept=counts["kept"],
        told=[RefusedChange(one["public_id"], one["error_code"], one["message"]) for one in told],
        **{name: row[name] for name in names},
    )
