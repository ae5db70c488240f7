"""Doing an action on many jobs, and undoing it: page by page, each job in a transaction of its own. A process that is
killed leaves it to another, which finds what was done already."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from windmill.core.errors import WindmillError
from windmill.core.jsonb import parse_object
from windmill.jobs.access import JobAccess
from windmill.jobs.requests import change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.operate.bulk.asking import UNDO_SECONDS
from windmill.operate.bulk.wanted import UNDOABLE, action_of
from windmill.operate.bulk.work import (
    PASSED_OVER,
    Before,
    BulkWork,
    NotedChange,
    UndoneChange,
    before_of,
    change_item,
    end_bulk,
    hold_bulk,
    lease_bulk,
    note_item,
    watched,
)
from windmill.operate.jobs.job_actions import JobAction
from windmill.operate.jobs.job_filter import PAGE, FoundJob, pages_of_jobs
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.leased_work import LeasedWork
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction
from windmill.submit.batches import batches

AT_ONCE = 4


def bulk_runner(access: JobAccess, store: ArtifactStore) -> LeasedWork[BulkWork]:
    """Does what was asked for, for ever."""
    return LeasedWork("bulk actions", partial(lease_bulk, access), partial(run_bulk, access, store))


async def run_bulk(access: JobAccess, store: ArtifactStore, work: BulkWork, token: uuid.UUID) -> None:
    if work.undoing:
        await _undo_all(access, work, token)
        await end_bulk(access, work, token, "undone", None)
        return
    action = action_of(work.request, work.actor.principal, store)
    async for page in _pages(access, work, action):
        left = await _left(access, work, page)
        await _some_at_once(left, action.at_once, partial(_ask, access, work, action))
        await hold_bulk(access, work, token)
    await end_bulk(access, work, token, "done", UNDO_SECONDS if work.request.verb in UNDOABLE else None)


async def _pages(access: JobAccess, work: BulkWork, action: JobAction) -> AsyncIterator[Sequence[FoundJob]]:
    if work.job_ids is None:
        chosen = work.request.filter.seen_by(work.sees).narrowed(action.statuses)
        async for page in pages_of_jobs(access, chosen, work.last):
            yield page
        return
    for some in batches(work.job_ids, PAGE):
        async with transaction(access.pool, access.settings) as rows:
            yield [FoundJob(**row) for row in await rows.fetch(queries()["find_jobs_by_keys"], some)]


async def _left(access: JobAccess, work: BulkWork, page: Sequence[FoundJob]) -> list[FoundJob]:
    """Those that nothing was done to yet."""
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["find_bulk_items"], work.bulk_id, [job.job_id for job in page])
    done = {row["job_id"] for row in found}
    return [job for job in page if job.job_id not in done]


async def _some_at_once(jobs: Sequence[FoundJob], at_once: int, ask: Callable[[FoundJob], Awaitable[None]]) -> None:
    for some in batches(jobs, at_once):
        await asyncio.gather(*(ask(job) for job in some))


async def _ask(access: JobAccess, work: BulkWork, action: JobAction, job: FoundJob) -> None:
    """One that was there already, such as a cancelled job that is to be cancelled, is as good as done."""
    refused = None
    try:
        await action.ask(watched(access, NotedChange(work)), job.job_id)
    except WindmillError as error:
        if error.code not in PASSED_OVER:
            raise
        refused = error
    async with transaction(access.pool, access.settings) as rows:
        await note_item(rows, work, job, "refused" if refused else "done", error=refused)


async def _undo_all(access: JobAccess, work: BulkWork, token: uuid.UUID) -> None:
    while True:
        async with transaction(access.pool, access.settings) as rows:
            found = await rows.fetch(queries()["next_bulk_items"], work.bulk_id, PAGE)
        if not found:
            return
        were = {row["job_id"]: before_of(parse_object(row["before"])) if row["before"] else None for row in found}
        jobs = [FoundJob(row["job_id"], row["public_id"]) for row in found]

        async def undo(job: FoundJob, were: dict[int, Before | None] = were) -> None:
            await _undo(access, work, job.job_id, were[job.job_id])

        await _some_at_once(jobs, AT_ONCE, undo)
        await hold_bulk(access, work, token)


async def _undo(access: JobAccess, work: BulkWork, job_id: int, before: Before | None) -> None:
    try:
        if before is None:
            raise WindmillError("CONFLICT", "the action changed nothing of the job")
        await _change_back(access, work, job_id, before)
    except WindmillError as error:
        if error.code not in PASSED_OVER:
            raise
        async with transaction(access.pool, access.settings) as rows:
            await change_item(rows, work, job_id, "kept", error)


async def _change_back(access: JobAccess, work: BulkWork, job_id: int, before: Before) -> None:
    by = work.actor.principal
    match work.request.verb:
        case "priority":
            witness = UndoneChange(work, priority=work.request.priority)
            await change_priority(watched(access, witness), job_id, before.priority)
        case "pause":
            await resume_job(watched(access, UndoneChange(work, status="paused")), job_id, by)
        case "resume":
            paused = (before.paused_by or by, before.pause_reason or "", before.paused_until)
            await pause_job(watched(access, UndoneChange(work)), job_id, *paused)
        case _:
            await _uncancel(access, work, job_id, before)


async def _uncancel(access: JobAccess, work: BulkWork, job_id: int, before: Before) -> None:
    """Work that had not begun runs again as it was asked for; what ran has lost what it was doing."""
    if before.status not in ("queued", "paused"):
        raise WindmillError("CONFLICT", f"the job was {before.status} when it was cancelled", "retry it")
    await rerun_job(watched(access, UndoneChange(work, status="cancelled")), job_id)
    if before.status == "paused":
        paused = (before.paused_by or work.actor.principal, before.pause_reason or "", before.paused_until)
        await pause_job(watched(access, RecordedChange(work.actor, "jobs.bulk_undo")), job_id, *paused)
