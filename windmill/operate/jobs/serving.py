"""Jobs for programs that serve many people over one pool of connections. `principal` is whose jobs they see, None all;
those of others are not found."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from windmill.jobs.access import Change, JobAccess
from windmill.jobs.states import JobStatus
from windmill.jobs.submitting import NewJob, Submitted, find_job, no_job, submit_within
from windmill.operate.jobs.job_actions import Request
from windmill.operate.jobs.reading import read_events, read_job, values_of
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

    @property
    def looked_through(self) -> list[str] | None:
        """The states in which such jobs can be: one that has an error has not succeeded."""
        if self.statuses is None:
            return None if self.error_code is None else [one for one in get_args(JobStatus) if one != "succeeded"]
        return list(self.statuses)


@dataclass(frozen=True)
class JobPage:
    """Some jobs, with times and ids as values, and where the page after this one begins, if there may be one. `first`
    is the id of the newest."""

    jobs: Sequence[Shown]
    last: int | None
    first: int = 0


async def page_of_jobs(
    access: JobAccess, wanted: VisibleJobs, before: int | None, limit: int, principal: str | None
) -> JobPage:
    """The newest jobs before the one with this id."""
    first, statuses = NEWEST if before is None else before, wanted.looked_through
    asked = (statuses, wanted.preset, wanted.error_code, first, limit)
    of_all = queries()["page_of_all_jobs"] if statuses is None else queries()["page_of_jobs_in_states"]
    async with single_statement(access.pool, access.settings) as rows:
        if principal is None:
            found = await rows.fetch(of_all, *asked)
        else:
            found = await rows.fetch(queries()["page_of_own_jobs"], *asked, principal)
    last = int(found[-1]["job_id"]) if len(found) == limit else None
    return JobPage(values_of(found), last, int(found[0]["job_id"]) if found else 0)


async def count_visible_jobs(
    access: JobAccess, wanted: VisibleJobs, principal: str | None, most: int, after: int = 0
) -> int:
    """How many there are that are newer than the one with this id; counted up to `most`."""
    statuses = wanted.looked_through
    async with single_statement(access.pool, access.settings) as rows:
        if principal is None and statuses is not None:
            asked = (statuses, wanted.preset, wanted.error_code, after, most)
            found = await rows.fetchval(queries()["count_jobs_in_states"], *asked)
        else:
            listed = (statuses, wanted.preset, wanted.error_code, principal, after, most)
            found = await rows.fetchval(queries()["count_listed_jobs"], *listed)
    return int(found)


async def submit_and_show(access: JobAccess, new: NewJob, principal: str | None) -> tuple[Submitted, Shown]:
    """Submit the job and read it, in one transaction."""
    async with transaction(access.pool, access.settings) as rows:
        submitted = await submit_within(rows, access, new)
        return submitted, await read_job(rows, submitted.change.public_id, principal)


async def show_visible_job(access: JobAccess, public_id: uuid.UUID, principal: str | None) -> Shown:
    """With times and ids as values."""
    async with single_statement(access.pool, access.settings) as rows:
        return await read_job(rows, public_id, principal)


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
        async with single_statement(access.pool, access.settings) as rows:
            ended = bool(await rows.fetchval(queries()["has_job_ended"], job_id))
        if ended or time.monotonic() >= until:
            return ended
        await asyncio.sleep(min(LOOK_SECONDS, max(until - time.monotonic(), 0)))


async def remove(access: JobAccess, public_id: uuid.UUID, principal: str | None, store: ArtifactStore) -> None:
    """Delete a job that has ended, with those of its files that nobody else has or may be storing just now."""
    await removing(DeletedFiles(store).delete).ask(access, await find_job(access, public_id, principal))


async def is_any_step_served(access: JobAccess) -> bool:
    """Whether a worker that is alive serves a step of jobs."""
    async with single_statement(access.pool, access.settings) as rows:
        return bool(await rows.fetchval(queries()["is_any_step_served"]))
