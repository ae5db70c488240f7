"""A job that has ended runs again: from the step that failed, or from a named one. What has succeeded before is kept,
and the inputs are those the job was made with."""

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.advancing import advance
from windmill.jobs.job_book import JobBook
from windmill.jobs.locked_job import close_book, locked_book
from windmill.jobs.planning import is_unplanned, read_tags
from windmill.storage.database import Connection
from windmill.storage.jobs.rows import StepRow
from windmill.storage.queries import queries


async def rerun_job(access: JobAccess, job_id: int, from_step: str | None = None) -> Change:
    """Run a job again that has ended; raises CONFLICT for any other."""
    async with locked_book(access, job_id) as (connection, book):
        await rerun_within(connection, access, book, from_step)
        return await close_book(connection, access, book)


async def rerun_within(connection: Connection, access: JobAccess, book: JobBook, from_step: str | None = None) -> None:
    """The same on an open book, which the caller closes."""
    book.apply("rerun")
    first = _named(book, from_step) if from_step else _first_unfinished(book)
    for step in book.steps:
        if step.position >= first and step.status != "skipped":
            if not from_step and _may_keep(book, first, step):
                await _requeue(connection, access, book, step)
            else:
                await _reset(connection, book, step)
    cleared = {"error_code": None, "message": None, "warnings": (), "progress": 0.0}
    book.change_job(attempt=book.job.attempt + 1, **cleared)
    book.tell("rerun", first, step=book.step(first).name)
    advance(book)


def _named(book: JobBook, name: str) -> int:
    found = [step.position for step in book.steps if step.name == name and step.status != "skipped"]
    if not found:
        raise WindmillError("NOT_FOUND", f"the job runs no step {name}")
    return found[0]


def _first_unfinished(book: JobBook) -> int:
    found = [s.position for s in book.steps if s.status not in ("succeeded", "skipped") or s.failed]
    if not found:
        remedy = "name the step to run again: --from-step"
        raise WindmillError("CONFLICT", "every step of the job has succeeded", remedy)
    return found[0]


def _may_keep(book: JobBook, first: int, step: StepRow) -> bool:
    """Whether what the step has made stays right: it is the first that runs again, or it streams from one that stays,
    shard by shard. Any other was made from all that the step before had made."""
    upstream = book.upstream(step.position)
    if step.position == first:
        return step.planned > 0 or step.plan_cursor is None
    return step.streams and upstream is not None and _may_keep(book, first, upstream)


async def _reset(connection: Connection, book: JobBook, step: StepRow) -> None:
    """Forget what the step has planned and made."""
    await connection.execute(queries()["delete_tasks"], book.job.job_id, step.position)
    again = {"status": "pending", "planned": 0, "plan_cursor": 0, "settled": 0, "failed": 0, "reused": 0}
    book.change_step(step.position, **again)


async def _requeue(connection: Connection, access: JobAccess, book: JobBook, step: StepRow) -> None:
    """Run again what has not succeeded of the step."""
    number = await connection.fetchval(queries()["requeue_ended_tasks"], book.job.job_id, step.position)
    settled = step.planned - number
    upstream = book.upstream(step.position)
    cursor = step.plan_cursor
    if step.streams and upstream and upstream.status == "running" and cursor is None:
        cursor = upstream.settled  # the end of the step before closes the plan again, if it is still to come
    book.change_step(step.position, status="running", settled=settled, failed=0, plan_cursor=cursor)
    if is_unplanned(book, book.step(step.position)):
        book.to_plan.append(step.position)
    tags = await read_tags(connection, access, book, step)
    await connection.execute(
        queries()["retag_tasks"],
        *(book.job.job_id, step.position, tags.first, tags.spacing, tags.lead, book.held),
    )
    book.new_tasks[step.step] += number
