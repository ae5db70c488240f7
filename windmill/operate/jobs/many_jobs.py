"""One action on many jobs. Each job is changed in a transaction of its own, so it can be interrupted at any time; asked
for again, it goes on with those that are left."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from windmill.core.errors import Code, WindmillError
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import find_job
from windmill.operate.jobs.job_actions import JobAction
from windmill.operate.jobs.job_filter import JobFilter, JobsCounted, count_jobs, pages_of_jobs
from windmill.operate.progress import OnProgress, ProgressUpdate, ignore_progress

MOST_TOLD = 20
"""Refusals that are told one by one; all are counted."""
_PASSED_OVER: tuple[Code, ...] = ("CONFLICT", "NOT_FOUND")
"""What one job may be refused with while the others go on."""


@dataclass(frozen=True)
class RefusedJob:
    """A job of which it could not be asked."""

    job: str
    error_code: Code
    message: str


@dataclass
class ManyJobs:
    """What became of `matched` jobs. Those that changed meanwhile, so that it is no longer possible, are refused."""

    action: str
    matched: int
    done: int = 0
    refused: int = 0
    told: list[RefusedJob] = field(default_factory=list)
    preview: bool = False
    interrupted: bool = False


@dataclass(frozen=True)
class ChosenJobs:
    """Jobs by their ids, or else all that match. With `preview` those that match are only counted."""

    ids: Sequence[uuid.UUID] = ()
    matching: JobFilter = field(default_factory=JobFilter)
    expect: int | None = None
    preview: bool = False


async def preview_many(
    access: JobAccess, action: JobAction, chosen: JobFilter, *, expect: int | None = None
) -> ManyJobs:
    """How many jobs it would be; raises CONFLICT if others are expected."""
    return ManyJobs(action.verb, (await _count(access, action, chosen, expect)).jobs, preview=True)


async def change_matching(
    access: JobAccess,
    action: JobAction,
    chosen: JobFilter,
    stop: asyncio.Event,
    *,
    expect: int | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ManyJobs:
    """Ask it of all jobs that match now, the oldest first; those that come meanwhile are left alone."""
    counted = await _count(access, action, chosen, expect)
    report = ManyJobs(action.verb, counted.jobs)
    async for page in pages_of_jobs(access, chosen.narrowed(action.statuses), counted.last):
        asked = [(str(job.public_id), partial(action.ask, access, job.job_id)) for job in page]
        await _ask_all(asked, action.at_once, report, stop, on_progress)
        if report.interrupted:
            break
    return report


async def change_named(
    access: JobAccess,
    action: JobAction,
    public_ids: Sequence[uuid.UUID],
    stop: asyncio.Event,
    *,
    on_progress: OnProgress = ignore_progress,
) -> ManyJobs:
    """Ask it of these jobs."""

    async def ask(public_id: uuid.UUID) -> object:
        return await action.ask(access, await find_job(access, public_id))

    return await ask_each(action, public_ids, ask, stop, on_progress)


async def ask_each(
    action: JobAction,
    public_ids: Sequence[uuid.UUID],
    ask: Callable[[uuid.UUID], Awaitable[object]],
    stop: asyncio.Event,
    on_progress: OnProgress,
) -> ManyJobs:
    """Ask it of each of these jobs once, in whatever way."""
    named = list(dict.fromkeys(public_ids))
    report = ManyJobs(action.verb, len(named))
    await _ask_all([(str(one), partial(ask, one)) for one in named], action.at_once, report, stop, on_progress)
    return report


async def _count(access: JobAccess, action: JobAction, chosen: JobFilter, expect: int | None) -> JobsCounted:
    counted = await count_jobs(access, chosen.narrowed(action.statuses))
    if expect is not None and counted.jobs != expect:
        said = f"{counted.jobs:,} jobs match, and {expect:,} are expected; nothing was done"
        raise WindmillError("CONFLICT", said, "look at them again, and say how many you expect")
    return counted


async def _ask_all(
    asked: Sequence[tuple[str, Callable[[], Awaitable[object]]]],
    at_once: int,
    report: ManyJobs,
    stop: asyncio.Event,
    on_progress: OnProgress,
) -> None:
    """A few at a time; between them it may be interrupted."""
    waiting = iter(asked)
    while some := list(islice(waiting, at_once)):
        if stop.is_set():
            report.interrupted = True
            return
        for refused in await asyncio.gather(*(_ask(name, ask, report) for name, ask in some)):
            if refused and len(report.told) < MOST_TOLD:
                report.told.append(refused)
        on_progress(ProgressUpdate(report.action, "jobs", report.done + report.refused, report.matched))


async def _ask(name: str, ask: Callable[[], Awaitable[object]], report: ManyJobs) -> RefusedJob | None:
    try:
        await ask()
    except WindmillError as error:
        if error.code not in _PASSED_OVER:
            raise
        report.refused += 1
        return RefusedJob(name, error.code, error.message)
    report.done += 1
    return None
