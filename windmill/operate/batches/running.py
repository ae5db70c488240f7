"""Making the jobs of a batch, or submitting its images, some at a time; and cancelling them. The job of an item is made
in the transaction that notes it, so a process that is killed leaves none without its item, and no item with two."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from windmill.core.errors import Code, WindmillError
from windmill.core.jsonb import parse_object
from windmill.jobs.access import JobAccess
from windmill.jobs.requests import cancel_job
from windmill.jobs.states import JOB_MOVES, sources
from windmill.jobs.submitting import submit_job
from windmill.operate.batches.asking import AskedServices
from windmill.operate.jobs.preset_requests import PresetAsk, job_of_preset
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.leased_work import LEASE_SECONDS, LeasedWork, LeaseLost
from windmill.pipelines.presets.preset_library import PresetLibrary
from windmill.storage.api_keys import ApiKey, find_key
from windmill.storage.audit_log import Actor
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import JobRow
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement, transaction
from windmill.submit.asked_runs import jobs_of_images
from windmill.submit.batches import batches
from windmill.submit.selection import ImageJobs

PAGE, AT_ONCE = 100, 4
_REJECTS: tuple[Code, ...] = ("USAGE", "NOT_FOUND", "CONFLICT", "CONSENT_MISSING", "INSUFFICIENT_FUNDS",
                              "PERMISSION_DENIED")  # fmt: skip
"""What keeps one item from having a job while the others get theirs."""
Library = Callable[[], Awaitable[PresetLibrary]]


@dataclass(frozen=True)
class BatchWork:
    """A row of `batches` that was leased, and the key that it was asked for with."""

    batch_id: uuid.UUID
    actor: Actor
    sees: str | None
    key: ApiKey | None
    cancelled: bool
    services: AskedServices | None = None
    """Of a batch of images."""


class JobsToServices(Protocol):
    """Sends jobs of services, and returns once every queue has confirmed."""

    async def send(self, images: Sequence[ImageJobs]) -> None: ...


def batch_runner(access: JobAccess, library: Library, sender: JobsToServices) -> LeasedWork[BatchWork]:
    """Does what was asked for, for ever."""
    return LeasedWork("batches", partial(lease_batch, access), partial(run_batch, access, library, sender))


async def lease_batch(access: JobAccess, token: uuid.UUID) -> BatchWork | None:
    async with transaction(access.pool, access.settings) as rows:
        row = await rows.fetchrow(queries()["lease_batch"], token, LEASE_SECONDS)
        if row is None:
            return None
        key = await find_key(rows, row["key_prefix"]) if row["key_prefix"] else None
    actor = Actor(row["principal"], row["key_prefix"], row["request_id"])
    asked = AskedServices(tuple(row["services"]), row["selection"]) if row["services"] else None
    return BatchWork(row["batch_id"], actor, row["sees"], key, row["cancelled_at"] is not None, asked)


async def run_batch(
    access: JobAccess, library: Library, sender: JobsToServices, work: BatchWork, token: uuid.UUID
) -> None:
    cancelled = work.cancelled
    while not cancelled:
        if not (
            await _submit_images(access, sender, work) if work.services else await _make_jobs(access, library, work)
        ):
            break
        cancelled = await _hold(access, work, token)
    if cancelled:
        await _cancel_all(access, work, token)
    async with transaction(access.pool, access.settings) as rows:
        await rows.execute(queries()["end_batch"], work.batch_id, token, cancelled)


async def _make_jobs(access: JobAccess, library: Library, work: BatchWork) -> bool:
    """Those of the next items; whether there were any."""
    page = await _next(access, work)
    presets = await library()
    for some in batches(page, AT_ONCE):
        await asyncio.gather(*(_make(access, presets, work, number, request) for number, request in some))
    return bool(page)


async def _submit_images(access: JobAccess, sender: JobsToServices, work: BatchWork) -> bool:
    """The next ones; whether there were any. If this process ends before that is noted they are submitted twice, which
    changes no result."""
    assert work.services
    pool, settings, asked = access.pool, access.settings, work.services
    async with single_statement(pool, settings) as rows:
        page = await rows.fetch(queries()["next_batch_images"], work.batch_id, PAGE)
    if not page:
        return False
    images = sorted({row["image_id"] for row in page if row["image_id"] is not None})
    await sender.send(await jobs_of_images(pool, settings, images, asked.names, asked.selection))
    async with single_statement(pool, settings) as rows:
        numbers = [row["number"] for row in page]
        await rows.execute(queries()["note_submitted_images"], work.batch_id, numbers, page[0]["now"])
    return True


async def _next(access: JobAccess, work: BatchWork) -> list[tuple[int, dict[str, Any]]]:
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["next_batch_items"], work.batch_id, PAGE)
    return [(row["number"], parse_object(row["request"])) for row in found]


async def _hold(access: JobAccess, work: BatchWork, token: uuid.UUID) -> bool:
    """Renew the lease; whether the batch was cancelled. Raises LeaseLost."""
    async with transaction(access.pool, access.settings) as rows:
        cancelled = await rows.fetchval(queries()["hold_batch"], work.batch_id, token, LEASE_SECONDS)
    if cancelled is None:
        raise LeaseLost
    return bool(cancelled)


class ItemMade:
    """A ChangeWitness: the item gets its job in the transaction that makes it, unless it has one."""

    def __init__(self, work: BatchWork, number: int) -> None:
        self._work, self._number = work, number
        self._audit = RecordedChange(work.actor, "jobs.create", key=work.key)

    def opened(self, job: JobRow) -> None:
        self._audit.opened(job)

    async def closing(self, connection: Connection, before: JobRow, after: JobRow) -> None:
        await self._audit.closing(connection, before, after)
        given = (self._work.batch_id, self._number, after.job_id, after.public_id)
        if await connection.fetchval(queries()["give_item_its_job"], *given) is None:
            raise WindmillError("BUSY", "another process has made the job of this item")


async def _make(
    access: JobAccess, library: PresetLibrary, work: BatchWork, number: int, request: dict[str, Any]
) -> None:
    try:
        await _submit(access, library, work, number, request)
    except WindmillError as error:
        if error.code not in _REJECTS:
            raise
        async with transaction(access.pool, access.settings) as rows:
            await rows.execute(queries()["refuse_item"], work.batch_id, number, error.code, error.message)


async def _submit(
    access: JobAccess, library: PresetLibrary, work: BatchWork, number: int, request: dict[str, Any]
) -> None:
    ask = PresetAsk(
        request.get("inputs") or {},
        request.get("quality"),
        request.get("engines") or (),
        bool(request.get("consent_given")),
    )
    preset, by = library.get(request["preset"]).preset, work.actor.principal or "somebody here"
    job = await job_of_preset(access, library, preset, ask, work.sees, by)
    new = replace(job, principal=work.actor.principal, priority=request.get("priority") or 0)
    await submit_job(replace(access, witness=ItemMade(work, number)), new)


async def _cancel_all(access: JobAccess, work: BatchWork, token: uuid.UUID) -> None:
    async with transaction(access.pool, access.settings) as rows:
        await rows.execute(queries()["cancel_open_items"], work.batch_id)
    last = 0
    while True:
        async with transaction(access.pool, access.settings) as rows:
            found = await rows.fetch(
                queries()["open_jobs_of_batch"], work.batch_id, sources(JOB_MOVES, "cancel"), last, PAGE
            )
        if not found:
            return
        jobs = [int(row["job_id"]) for row in found]
        for some in batches(jobs, AT_ONCE):
            await asyncio.gather(*(_cancel(access, work, job_id) for job_id in some))
        last = jobs[-1]
        await _hold(access, work, token)


async def _cancel(access: JobAccess, work: BatchWork, job_id: int) -> None:
    """One that has ended meanwhile stays as it is."""
    watched = replace(access, witness=RecordedChange(work.actor, "jobs.cancel"))
    try:
        await cancel_job(watched, job_id, work.actor.principal)
    except WindmillError as error:
        if error.code not in ("CONFLICT", "NOT_FOUND"):
            raise
