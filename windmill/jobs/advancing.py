"""What follows when a task of a job has settled: the next step starts, or the job ends. Pure decisions on a JobBook."""

from windmill.jobs.job_book import JobBook
from windmill.storage.jobs.rows import StepRow


def count_settled(book: JobBook, position: int, *, failed: bool) -> None:
    """Another task of the step has succeeded or failed for good."""
    step = book.step(position)
    book.change_step(position, settled=step.settled + 1, failed=step.failed + int(failed))


def advance(book: JobBook) -> None:
    """Complete the steps that are done, and start the one that is next; after the last the job succeeds."""
    if book.job.status == "cancelling" or book.ended:
        return
    for position in book.positions:
        step = book.step(position)
        if step.status == "running" and is_complete(step):
            _complete(book, position)
        elif step.status == "pending":
            _start(book, position)
        if book.step(position).status == "running":
            return
    _succeed(book)


def is_complete(step: StepRow) -> bool:
    """Whether the step is planned whole and all its tasks have settled."""
    return step.plan_cursor is None and step.settled == step.planned


def exceeds_budget(book: JobBook) -> bool:
    """Whether more shards have failed than the job may lose."""
    return book.failed_shards > book.job.failure_budget


def give_up(book: JobBook, code: str, message: str) -> None:
    """The job fails, once what runs of it has stopped."""
    book.ask_to_end("give_up", code, message)


def _start(book: JobBook, position: int) -> None:
    """The step is planned next. One that streams from it gets its tasks one by one as shards of this one succeed."""
    book.change_step(position, status="running")
    book.to_plan.append(position)
    book.tell("step_started", position, step=book.step(position).name)
    streaming = book.streaming_downstream(position)
    while streaming:
        book.change_step(streaming.position, status="running")
        book.tell("step_started", streaming.position, step=streaming.name)
        streaming = book.streaming_downstream(streaming.position)


def _complete(book: JobBook, position: int) -> None:
    step = book.step(position)
    book.change_step(position, status="succeeded")
    book.tell("step_succeeded", position, step=step.name, shards=step.planned, failed=step.failed)
    streaming = book.streaming_downstream(position)
    if streaming and streaming.plan_cursor == step.settled - step.failed:
        book.change_step(streaming.position, plan_cursor=None)
    elif streaming:
        book.to_plan.append(streaming.position)


def _succeed(book: JobBook) -> None:
    failed = [f"{step.failed} of {step.planned} shards of {step.name} failed" for step in book.steps if step.failed]
    warnings = [*book.job.warnings, *failed]
    book.apply("succeed")
    book.change_job(warnings=(*warnings,), progress=1.0, paused_by=None, pause_reason=None, paused_until=None)
    book.tell("succeeded", warnings=warnings)
