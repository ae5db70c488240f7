"""Jobs for programs that serve many people over one pool of connections. `principal` is whose jobs they see, None all;
those of others are not found."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.jobs.access import Change, JobAccess
from windmill.jobs.submitting import find_job, no_job
from windmill.operate.jobs.job_actions import Request
from windmill.operate.jobs.reading import read_events, read_job, shown
from windmill.operate.jobs.retention import DeletedFiles, removing
from windmill.operate.jobs.shown import Shown
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement, transaction

NEWEST = 2**63 - 1
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class VisibleJobs:
    """Which jobs are listed; None is any."""

    statuses: Sequence[str] | None = None
    preset: str | None = None
    error_code: str | None = None


@dataclass(frozen=True)
class JobPage:
    """Some jobs, and where the page after this one begins, if there may be one. `first` is the id of the newest."""

    jobs: Sequence[Shown]
    last: int | None
    first: int = 0


async def page_of_jobs(
    access: JobAccess, wanted: VisibleJobs, before: int | None, limit: int, principal: str | None
) -> JobPage:
    """The newest jobs before the one with this id."""
    sql = queries()
    statement, own = (sql["page_of_all_jobs"], ()) if principal is None else (sql["page_of_own_jobs"], (principal,))
    statuses = None if wanted.statuses is None else list(wanted.statuses)
    async with transaction(access.pool, access.settings) as rows:
        first = NEWEST if before is None else before
        found = await rows.fetch(statement, statuses, wanted.preset, wanted.error_code, first, limit, *own)
    last = int(found[-1]["job_id"]) if len(found) == limit else None
    return JobPage([shown(row) for row in found], last, int(found[0]["job_id"]) if found else 0)


async def count_visible_jobs(
    access: JobAccess, wanted: VisibleJobs, principal: str | None, most: int, after: int = 0
) -> int:
    """How many there are that are newer than the one with this id; counted up to `most`."""
    statuses = None if wanted.statuses is None else list(wanted.statuses)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetchval(
            queries()["count_listed_jobs"], statuses, wanted.preset, wanted.error_code, principal, after, most
        )
    return int(found)


async def show_visible_job(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> Shown:
    async with transaction(access.pool, access.settings) as rows:
        return shown(await read_job(rows, public_id, principal))


async def list_visible_events(
    access: JobAccess, public_id: uuid.UUID, after: int, limit: int, principal: str | None
) -> list[Shown]:
    async with single_statement(access.pool, access.settings) as rows:
        return await read_events(rows, public_id, after, limit, principal)


async def is_of_preset(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> bool:
    """Raises NOT_FOUND."""
    async with single_statement(access.pool, access.settings) as rows:
        found = await rows.fetchrow(queries()["show_job"], public_id, principal)
    if found is None:
        raise no_job(public_id)
    return found["preset"] is not None


async def ask(access: JobAccess, public_id: uuid.UUID, principal: str | None, request: Request[Change]) -> Change:
    """Ask something of a job that the principal may see; the id in the answer is that of a fork if it made one."""
    return await request(access, await find_job(access, public_id, principal))


async def wait_for_end(access: JobAccess, job_id: int, seconds: float) -> bool:
    """Return once the job has ended, or after so many seconds; whether it has."""
    until = time.monotonic() + seconds
    while True:
        async with transaction(access.pool, access.settings) as rows:
            ended = bool(await rows.fetchval(queries()["has_job_ended"], job_id))
        if ended or time.monotonic() >= until:
            return ended
        await asyncio.sleep(min(LOOK_SECONDS, max(until - time.monotonic(), 0)))


async def remove(access: JobAccess, public_id: uuid.UUID, principal: str | None, store: ArtifactStore) -> None:
    """Delete a job that has ended, with those of its files that nobody else has or may be storing just now."""
    await removing(DeletedFiles(store).delete).ask(access, await find_job(access, public_id, principal))


async def is_any_step_served(access: JobAccess) -> bool:
    """Whether a worker that is alive serves a step of jobs."""
    async with transaction(access.pool, access.settings) as rows:
        return bool(await rows.fetchval(queries()["is_any_step_served"]))
