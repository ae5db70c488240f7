"""Changing a job: its row is locked, a book of it and its steps is read, changed by decisions, and written back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.job_book import JobBook
from windmill.jobs.planning import is_unplanned, plan_started_steps
from windmill.jobs.progress import job_progress
from windmill.jobs.states import job_may
from windmill.storage.database import Connection
from windmill.storage.jobs.book import (
    find_open_tasks,
    lock_job,
    read_running_progress,
    read_steps,
    save_job,
    save_steps,
)
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


async def open_book(connection: Connection, job_id: int, *, only_idle: bool = False) -> JobBook | None:
    """Lock the job and read it; None if it is gone, or with `only_idle` if somebody else has it locked."""
    job = await lock_job(connection, job_id, only_idle=only_idle)
    return JobBook(job, await read_steps(connection, job_id)) if job else None


async def close_book(
    connection: Connection, access: JobAccess, book: JobBook, *, tell_progress: bool = False
) -> Change:
    """Do what the decisions ask for, and write what has changed."""
    await plan_started_steps(connection, access, book)
    if book.cancels_open:
        await connection.execute(queries()["cancel_open_tasks"], book.job.job_id)
        book.new_tasks.clear()
    await _follow_open_tasks(connection, book)
    if not book.ended:
        await _follow_progress(connection, book, tell=tell_progress)
    await save_steps(connection, book.job.job_id, book.changed_steps)
    await save_job(connection, book.job, book.events, ended=book.ended)
    if access.witness:
        await access.witness.closing(connection, book.job_before, book.job)
    return Change(book.job.job_id, book.job.public_id, book.job.status, dict(+book.new_tasks), _unplanned(access, book))


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
    """A job that is cancelling ends when nothing runs any more; one of which all is waiting waits."""
    status = book.job.status
    if status == "cancelling":
        if not (await find_open_tasks(connection, book.job.job_id)).running:
            _confirm_end(book)
    elif status in ("queued", "running", "waiting"):
        open_tasks = await find_open_tasks(connection, book.job.job_id)
        if open_tasks.running and job_may(status, "start"):
            book.apply("start")
        elif open_tasks.waiting and not (open_tasks.queued or open_tasks.running) and job_may(status, "wait"):
            book.apply("wait")


async def _follow_progress(connection: Connection, book: JobBook, *, tell: bool) -> None:
    """Progress only rises."""
    running = await read_running_progress(connection, book.job.job_id)
    now = job_progress(book.steps, running)
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
