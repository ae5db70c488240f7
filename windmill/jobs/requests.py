"""What people ask of a job: cancel it, pause it, let it go on, change its priority."""

from datetime import datetime

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.job_book import JobBook
from windmill.jobs.locked_job import close_book, locked_book
from windmill.jobs.planning import read_tags
from windmill.jobs.states import ENDED_JOBS, ENDS_AS, JobEvent
from windmill.storage.database import Connection
from windmill.storage.queries import queries

PRIORITIES = range(-9, 10)


async def cancel_job(access: JobAccess, job_id: int, by: str) -> Change:
    """Cancel what waits now, and ask what runs to stop; done again, it changes nothing."""
    return await _end(access, job_id, "cancel", "CANCELLED", f"cancelled by {by}")


async def expire_job(access: JobAccess, job_id: int) -> Change:
    """The same for a job whose deadline has passed."""
    return await _end(access, job_id, "expire", "DEADLINE_EXCEEDED", "the deadline of the job has passed")


async def _end(access: JobAccess, job_id: int, event: JobEvent, code: str, message: str) -> Change:
    async with locked_book(access, job_id) as (connection, book):
        done = {"cancelling", ENDS_AS[event]} | (ENDED_JOBS if event == "expire" else set())
        if book.job.status in done:
            return Change(job_id, book.job.public_id, book.job.status)
        book.ask_to_end(event, code, message)
        return await close_book(connection, access, book)


async def pause_job(access: JobAccess, job_id: int, by: str, reason: str = "", until: datetime | None = None) -> Change:
    """No task of the job starts until it is resumed, or until the time has come; what runs goes on to its end."""
    async with locked_book(access, job_id) as (connection, book):
        if book.job.status != "paused":
            book.apply("pause")
            await connection.execute(queries()["hold_tasks"], job_id)
        book.change_job(paused_by=by, pause_reason=reason or None, paused_until=until)
        book.tell("paused", by=by, reason=reason, until=until and until.isoformat())
        return await close_book(connection, access, book)


async def resume_job(access: JobAccess, job_id: int, by: str) -> Change:
    """Let a paused job go on, behind what was submitted while it was paused."""
    async with locked_book(access, job_id) as (connection, book):
        book.apply("resume")
        book.change_job(paused_by=None, pause_reason=None, paused_until=None)
        await _retag(connection, access, book)
        book.tell("resumed", by=by)
        return await close_book(connection, access, book)


async def change_priority(access: JobAccess, job_id: int, priority: int) -> Change:
    """The next claim goes by the new priority. With the one that it has, the job keeps its place."""
    if priority not in PRIORITIES:
        raise WindmillError("USAGE", f"the priority {priority} is not in {PRIORITIES[0]}..{PRIORITIES[-1]}")
    async with locked_book(access, job_id) as (connection, book):
        if book.ended or book.job.status == "cancelling":
            raise WindmillError("CONFLICT", f"the job is {book.job.status}")
        if book.job.priority == priority:
            return Change(job_id, book.job.public_id, book.job.status)
        book.change_job(priority=priority)
        await _retag(connection, access, book)
        book.tell("priority", priority=priority)
        return await close_book(connection, access, book)


async def _retag(connection: Connection, access: JobAccess, book: JobBook) -> None:
    """New tags for what the job has in queues; while it is paused, they are held as before."""
    for step in book.steps:
        if step.status == "running":
            tags = await read_tags(connection, access, book, step)
            places = (tags.first, tags.spacing, tags.lead, book.held)
            status = await connection.execute(queries()["retag_tasks"], book.job.job_id, step.position, *places)
            if not book.held:
                book.new_tasks[step.step] += int(status.rpartition(" ")[2])
