"""The end of a task's claim, in one transaction: its outcome, its step's counters, what follows, and the job's log."""

import random
from collections.abc import Sequence
from dataclasses import replace

from windmill.core.jsonb import parse_object, render_jsonb
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.advancing import advance, count_settled, exceeds_budget, give_up
from windmill.jobs.going_on import GoingOn
from windmill.jobs.job_book import JobBook
from windmill.jobs.locked_job import SeenNoMore, close_book
from windmill.jobs.outcomes import TaskEnding, TaskLost, TaskOutcome, TaskSucceeded, TaskWaits, decide
from windmill.jobs.planning import plan_streamed_shard
from windmill.jobs.states import OPEN_TASKS, TASK_MOVES, job_may
from windmill.jobs.step import StepLimits
from windmill.storage.database import Connection
from windmill.storage.jobs.book import SeenUnder
from windmill.storage.jobs.claims import lock_leased_task, lock_lost_task, save_artifacts
from windmill.storage.jobs.result_waits import forget_result_wait, is_wait_over
from windmill.storage.jobs.rows import ClaimedTask, EndedTask, LeasedTask, OpenTasks, SeenJob, TaskKey
from windmill.storage.transactions import single_statement, transaction

MOST_WARNINGS = 20
"""Of a job; all are in its log."""


async def end_claim(
    access: JobAccess, task: ClaimedTask, outcome: TaskOutcome, ran: float, going_on: GoingOn | None = None
) -> Change | None:
    """End a claim of this process after so many seconds, as `end_task` does. If nothing of the job has changed since
    it was claimed, that takes one statement: nothing is locked and read before."""
    if task.seen and _is_seen_whole(task, task.seen, outcome) and access.witness is None:
        try:
            async with single_statement(access.pool, access.settings) as connection:
                return await _end_as_seen(connection, access, task, task.seen, outcome, ran, going_on)
        except SeenNoMore:
            pass  # the job is locked and read
    return await end_task(access, task.key, task.lease, outcome, going_on)


def _is_seen_whole(task: ClaimedTask, seen: SeenJob, outcome: TaskOutcome) -> bool:
    """Whether the task is the only open one of its job, and nothing else is to be written or forgotten with its end."""
    running = [step for step in seen.steps if step.status == "running"]
    is_alone = [(step.position, step.planned, step.plan_cursor) for step in running] == [(task.position, 1, None)]
    return is_alone and isinstance(outcome, TaskSucceeded) and not outcome.artifacts and not task.output


async def _end_as_seen(
    connection: Connection,
    access: JobAccess,
    task: ClaimedTask,
    seen: SeenJob,
    outcome: TaskOutcome,
    ran: float,
    going_on: GoingOn | None,
) -> Change:
    book = JobBook(seen.job, seen.steps, SeenUnder(task.lease, seen.version))
    book.open_tasks = OpenTasks(running=False, queued=False, waiting=False)
    known = {name: getattr(task, name) for name in _KNOWN}
    leased = LeasedTask(**known, alone=False, ran=ran)
    return await _end(connection, access, book, leased, outcome, going_on)


_KNOWN = ("job_id", "position", "shard", "step", "step_version", "attempt", "tries", "lost", "output", "waited")


async def end_task(
    access: JobAccess, key: TaskKey, lease: object, outcome: TaskOutcome, going_on: GoingOn | None = None
) -> Change | None:
    """End the claim. None, and nothing written, if the lease was lost: somebody else has the task by now. Who can go on
    with the same job is given its next task in the same transaction, if its turn has come."""
    async with transaction(access.pool, access.settings) as connection:
        return await end_task_within(connection, access, key, lease, outcome, going_on)


async def end_task_within(
    connection: Connection,
    access: JobAccess,
    key: TaskKey,
    lease: object,
    outcome: TaskOutcome,
    going_on: GoingOn | None = None,
) -> Change | None:
    """The same as part of a transaction. The order of locks is always: a running task, its job, then other tasks."""
    lock = lock_lost_task if isinstance(outcome, TaskLost) else lock_leased_task
    locked = await lock(connection, key, lease)
    if locked is None:
        return None
    book = JobBook(locked.job, locked.steps)
    book.open_tasks = locked.others
    return await _end(connection, access, book, locked.task, outcome, going_on)


async def _end(
    connection: Connection,
    access: JobAccess,
    book: JobBook,
    task: LeasedTask,
    outcome: TaskOutcome,
    going_on: GoingOn | None,
) -> Change:
    """Decide what becomes of the task and what follows, and write it."""
    cancelling = book.job.status == "cancelling"
    ending = decide(outcome, task, cancelling=cancelling, limits=_limits(access, task), dice=random.random())
    book.ended_task = await _settle_wait(connection, book, task, _ended(book, task, ending, outcome))
    if job_may(book.job.status, "start"):
        book.apply("start")  # whoever claimed the task found the job locked
    if isinstance(outcome, TaskSucceeded):
        await save_artifacts(connection, task.key, outcome.artifacts)
        _warn(book, task, outcome.warnings)
    _follow(access, book, task, ending, outcome)
    return replace(await close_book(connection, access, book, going_on), ending=ending)


def _limits(access: JobAccess, task: LeasedTask) -> StepLimits:
    step = access.catalog.find(task.step, task.step_version)
    return step.limits if step else StepLimits()


def _ended(book: JobBook, task: LeasedTask, ending: TaskEnding, outcome: TaskOutcome) -> EndedTask:
    """What is written of the task. Its output is as it will be read, because the next step is planned from it."""
    status = TASK_MOVES["running"][ending.event]
    output = outcome.output if isinstance(outcome, TaskSucceeded | TaskWaits) else task.output
    return EndedTask(
        position=task.position,
        shard=task.shard,
        status=status,
        output=parse_object(render_jsonb(dict(output))),
        error_code=ending.code,
        message=ending.message,
        delay=ending.delay,
        held=book.held and status == "queued",
        tries=int(ending.counts_as_try),
        lost=int(ending.counts_as_lost),
        ran=task.ran,
        progress=_progress(ending, outcome),
    )


def _progress(ending: TaskEnding, outcome: TaskOutcome) -> float | None:
    """What is done of the task from now on; None leaves it as it was."""
    if ending.event == "wait" and isinstance(outcome, TaskWaits):
        return outcome.done
    return {"succeed": 1.0, "requeue": 0.0}.get(ending.event)


async def _settle_wait(connection: Connection, book: JobBook, task: LeasedTask, ended: EndedTask) -> EndedTask:
    """A task whose answers have all come already goes back to the queue. One that has ended waits for nothing more."""
    if ended.status == "waiting" and await is_wait_over(connection, task.key):
        book.new_tasks[task.step] += int(not book.held)
        return replace(ended, status="queued", delay=0.0, held=book.held)
    if task.output and ended.status not in OPEN_TASKS:
        await forget_result_wait(connection, task.key)
    return ended


def _follow(access: JobAccess, book: JobBook, task: LeasedTask, ending: TaskEnding, outcome: TaskOutcome) -> None:
    """Count, and decide what follows."""
    row = book.step(task.position)
    reused = isinstance(outcome, TaskSucceeded) and outcome.reused
    spent = {"ran": row.ran + task.ran, "waited": row.waited + task.waited}
    book.change_step(task.position, **spent, reused=row.reused + int(reused))
    _keep_progress(book)
    _tell(book, task, ending, reused=reused)
    if ending.event in ("succeed", "fail"):
        count_settled(book, task.position, failed=ending.event == "fail")
    elif ending.event == "requeue" and not ending.delay and not book.held:
        book.new_tasks[task.step] += 1
    if book.job.status == "cancelling":
        return
    if ending.event == "fail" and exceeds_budget(book):
        give_up(book, ending.code or "DEFECT", ending.message or "")
        return
    if ending.event == "succeed":
        plan_streamed_shard(access, book, task.position, task.shard)
    advance(book)


def _keep_progress(book: JobBook) -> None:
    """What is done of a task counts while it waits, too."""
    task = book.ended_task
    if task and task.status == "waiting":
        running = book.step(task.position).running + (task.progress or 0.0)
        book.change_step(task.position, running=running)


def _warn(book: JobBook, task: LeasedTask, warnings: Sequence[str]) -> None:
    """What is shown with the job, each text once."""
    for warning in warnings:
        book.tell("warning", task.position, task.shard, "warning", message=warning)
        if warning not in book.job.warnings and len(book.job.warnings) < MOST_WARNINGS:
            book.change_job(warnings=(*book.job.warnings, warning))


_LEVELS = {"succeed": "debug", "wait": "debug", "requeue": "warning", "fail": "error", "cancel": "info"}
_KINDS = {"succeed": "task_succeeded", "wait": "task_waits", "requeue": "task_requeued", "fail": "task_failed",
          "cancel": "task_cancelled"}  # fmt: skip


def _tell(book: JobBook, task: LeasedTask, ending: TaskEnding, *, reused: bool) -> None:
    why = {"error_code": ending.code, "message": ending.message, "lost": ending.counts_as_lost or None}
    why["reused"] = reused or None
    told = {name: value for name, value in why.items() if value}
    level = _LEVELS[ending.event]
    book.tell(_KINDS[ending.event], task.position, task.shard, level, attempt=task.attempt, ran=task.ran, **told)
