"""How the claim of a task ends, and what that means for the task. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from windmill.core.errors import Retry, WindmillError
from windmill.jobs.states import TaskEvent
from windmill.jobs.step import StepLimits
from windmill.kernels.flow.retry_backoff import backoff_delay, retry_delay
from windmill.storage.jobs.rows import Document, LeasedTask, StoredArtifact

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 2.0, 300.0
PAUSE_SECONDS = 10.0
"""Until a task is tried again whose engine is not available."""
MAX_LOST = 3
"""A task that has lost so many workers, the last one while it ran alone, is to blame."""


@dataclass(frozen=True)
class TaskSucceeded:
    output: Document
    artifacts: Sequence[StoredArtifact] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    reused: bool = False
    """It was not run: another task had made it."""


@dataclass(frozen=True)
class TaskRaised:
    """The step failed with an error."""

    error: WindmillError


@dataclass(frozen=True)
class TaskReturned:
    """The worker gives the task back unfinished: it is stopping, or was asked to cancel what is no longer cancelled."""


@dataclass(frozen=True)
class TaskWaits:
    """The task waits for something outside, without a lease, for so long at most."""

    output: Document
    seconds: float
    done: float = 0.0


@dataclass(frozen=True)
class TaskLost:
    """The lease has expired: the worker is gone, or cut off."""


TaskOutcome = TaskSucceeded | TaskRaised | TaskReturned | TaskWaits | TaskLost


@dataclass(frozen=True)
class TaskEnding:
    """What becomes of a task whose claim has ended: `delay` is how long until it may be claimed again."""

    event: TaskEvent
    delay: float = 0.0
    counts_as_try: bool = False
    counts_as_lost: bool = False
    code: str | None = None
    message: str | None = None


def decide(outcome: TaskOutcome, task: LeasedTask, *, cancelling: bool, limits: StepLimits, dice: float) -> TaskEnding:
    """What the outcome means. A job that is cancelling keeps what has succeeded, and nothing of it starts again."""
    ending = _decide(outcome, task, limits, dice)
    if cancelling and ending.event in ("requeue", "wait"):
        return TaskEnding("cancel", counts_as_lost=ending.counts_as_lost)
    return ending


def _decide(outcome: TaskOutcome, task: LeasedTask, limits: StepLimits, dice: float) -> TaskEnding:
    match outcome:
        case TaskSucceeded():
            return TaskEnding("succeed")
        case TaskWaits(seconds=seconds):
            return TaskEnding("wait", delay=seconds)
        case TaskReturned():
            return TaskEnding("requeue")
        case TaskLost():
            return _lost(task)
        case TaskRaised(error=error):
            return _raised(error, task, limits, dice)
    assert_never(outcome)


def _lost(task: LeasedTask) -> TaskEnding:
    lost = task.lost + 1
    if lost >= MAX_LOST and task.alone:
        message = f"{lost} workers were lost while they had this task, the last one while it had no other"
        return TaskEnding("fail", counts_as_lost=True, code="WORKER_LOST", message=message)
    return TaskEnding("requeue", counts_as_lost=True)


def _raised(error: WindmillError, task: LeasedTask, limits: StepLimits, dice: float) -> TaskEnding:
    retry: Retry = error.retry
    failed = task.tries + 1
    if retry == "pause":
        delay = error.retry_after or PAUSE_SECONDS * (0.8 + 0.4 * dice)
        return TaskEnding("requeue", delay, code=error.code, message=error.message)
    if retry == "never" or failed >= limits.tries:
        return TaskEnding("fail", counts_as_try=True, code=error.code, message=error.message)
    delay = _rest(failed, limits, dice)
    return TaskEnding("requeue", max(delay, error.retry_after or 0), True, code=error.code, message=error.message)


def _rest(failed: int, limits: StepLimits, dice: float) -> float:
    """Seconds until the next try."""
    if limits.retry_seconds:
        return retry_delay(failed, limits.retry_seconds)
    return backoff_delay(failed, first=FIRST_RETRY_SECONDS, maximum=MAX_RETRY_SECONDS, jitter=0.2, dice=dice)
