"""Changing a job: its row is locked, a book of it and its steps is read, changed by decisions, and written back. Who
has seen the job already may leave out the lock: then it is written back if it is still as it was seen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.going_on import GoingOn, choose_next, new_tasks
from windmill.jobs.job_book import JobBook
from windmill.jobs.planning import is_unplanned, plan_started_steps
from windmill.jobs.progress import job_progress
from windmill.jobs.states import job_may
from windmill.storage.database import Connection
from windmill.storage.jobs.book import BookChanges, find_open_tasks, lock_job, read_steps, save_book
from windmill.storage.jobs.rows import ClaimedTask, OpenTasks, SeenJob
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


class SeenNoMore(Exception):
    """The job, or the lease, is not as it was seen. Nothing was written."""


async def open_book(connection: Connection, job_id: int, *, only_idle: bool = False) -> JobBook | None:
    """Lock the job and read it; None if it is gone, or with `only_idle` if somebody else has it locked."""
    job = await lock_job(connection, job_id, only_idle=only_idle)
    return JobBook(job, await read_steps(connection, job_id)) if job else None


async def close_book(
    connection: Connection,
    access: JobAccess,
    book: JobBook,
    going_on: GoingOn | None = None,
    *,
    tell_progress: bool = False,
) -> Change:
    """Do what the decisions ask for, and write what has changed. Who can go on with a new task is given it, if its turn
    has come."""
    await plan_started_steps(connection, access, book)
    if book.seen and book.cancels_open:
        raise SeenNoMore  # that takes more than one statement
    if book.cancels_open:
        await connection.execute(queries()["cancel_open_tasks"], book.job.job_id)
        book.new_tasks.clear()
    await _follow_open_tasks(connection, book)
    if not book.ended:
        _follow_progress(book, tell=tell_progress)
    next_task = await _write(connection, access, book, going_on)
    if next_task:
        book.new_tasks[next_task.step] -= 1
    if access.witness:
        await access.witness.closing(connection, book.job_before, book.job)
    job, unplanned = book.job, _unplanned(access, book)
    return Change(job.job_id, job.public_id, job.status, dict(+book.new_tasks), unplanned, next_task=next_task)


async def _write(
    connection: Connection, access: JobAccess, book: JobBook, going_on: GoingOn | None
) -> ClaimedTask | None:
    """The task that was claimed on the way, if one was."""
    wanted = choose_next(book, going_on) if going_on and not book.cancels_open else None
    changes = BookChanges(
        job=book.job,
        ended=book.ended,
        cancels_open=book.cancels_open,
        events=book.events,
        steps=book.changed_steps,
        task=book.ended_task,
        new_tasks=[task for planned in book.planned for task in new_tasks(planned, wanted)],
        lease_seconds=access.settings.task_lease_seconds,
        worker=going_on.worker if going_on else None,
        seen=book.seen,
    )
    saved = await save_book(connection, changes)
    if saved is None:
        raise SeenNoMore
    if wanted is None or saved.lease is None:
        return None
    job = replace(book.job, last_event=book.job.last_event + len(book.events))
    return replace(wanted, seen=SeenJob(job, tuple(book.steps), saved.version))


@asynccontextmanager
async def locked_book(access: JobAccess, job_id: int) -> AsyncIterator[tuple[Connection, JobBook]]:
    """The book of a job in a transaction that commits when the block ends well; the block closes the book. Raises
    NOT_FOUND if the job was deleted meanwhile."""
    async with transaction(access.pool, access.settings) as connection:
        book = await open_book(connection, job_id)
        if book is None:
            raise WindmillError("NOT_FOUND", "the job is gone", "list the jobs: python -m windmill jobs list")
        if access.witness:
            access.witness.opened(book.job)
        yield connection, book


async def _follow_open_tasks(connection: Connection, book: JobBook) -> None:
    """A job that is cancelling ends when nothing runs any more; one of which all is waiting waits. What was read in the
    statement that waited for the lock on the job is from before it waited: others may have ended or begun meanwhile. So
    what a decision would rest on is read anew."""
    status = book.job.status
    if status == "cancelling" or (book.open_tasks and book.open_tasks.waiting):
        book.open_tasks = None
    if status == "cancelling":
        if not (await _open_tasks(connection, book)).running:
            _confirm_end(book)
    elif status in ("queued", "running", "waiting"):
        open_tasks = await _open_tasks(connection, book)
        if open_tasks.running and job_may(status, "start"):
            book.apply("start")
        elif open_tasks.waiting and not (open_tasks.queued or open_tasks.running) and job_may(status, "wait"):
            book.apply("wait")


async def _open_tasks(connection: Connection, book: JobBook) -> OpenTasks:
    """Those that there are, and those that will be once the book is written."""
    found = book.open_tasks or await find_open_tasks(connection, book.job.job_id, book.ended_task)
    ended = book.ended_task.status if book.ended_task else None
    queued = found.queued or bool(book.planned) or ended == "queued"
    return OpenTasks(found.running, queued and not book.cancels_open, found.waiting or ended == "waiting")


def _follow_progress(book: JobBook, *, tell: bool) -> None:
    """Progress only rises."""
    now = job_progress(book.steps, {step.position: step.running for step in book.steps})
    if now > book.job.progress:
        book.change_job(progress=now)
        if tell:
            book.tell("progress", progress=round(now, 4))


def _confirm_end(book: JobBook) -> None:
    book.apply("confirm")
    for step in book.steps:
        if step.status == "running":
            book.change_step(step.position, status="failed" if step.failed else "cancelled")
    level = "error" if book.job.status == "failed" else "warning"
    book.tell(book.job.status, level=level, error_code=book.job.error_code, message=book.job.message)


def _unplanned(access: JobAccess, book: JobBook) -> bool:
    """Whether there is a further piece that this process can plan."""
    return any(is_unplanned(book, step) for step in book.steps if access.catalog.find(step.step, step.version))
