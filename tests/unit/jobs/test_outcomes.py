"""What the end of a claim means for its task."""

import pytest

from windmill.core.errors import Code, WindmillError
from windmill.jobs.outcomes import (
    FIRST_RETRY_SECONDS,
    MAX_LOST,
    PAUSE_SECONDS,
    TaskEnding,
    TaskLost,
    TaskOutcome,
    TaskRaised,
    TaskReturned,
    TaskSucceeded,
    TaskWaits,
    decide,
)
from windmill.jobs.step import StepLimits
from windmill.storage.jobs.rows import LeasedTask

TRIES = 3


def task(tries: int = 0, lost: int = 0, alone: bool = False) -> LeasedTask:
    return LeasedTask(1, 0, 0, "cut", 1, 1, tries, lost, alone, {}, 0.0, 0.0)


def ending(outcome: TaskOutcome, of: LeasedTask | None = None, *, cancelling: bool = False) -> TaskEnding:
    return decide(outcome, of or task(), cancelling=cancelling, limits=StepLimits(tries=TRIES), dice=0.5)


def raised(code: Code, retry_after: float | None = None) -> TaskRaised:
    return TaskRaised(WindmillError(code, "no", retry_after=retry_after))


@pytest.mark.parametrize(
    ("outcome", "event", "delay", "counts"),
    [
        (TaskSucceeded({}), "succeed", 0, False),
        (TaskReturned(), "requeue", 0, False),
        (TaskWaits({}, 60), "wait", 60, False),
        (TaskLost(), "requeue", 0, False),
        (raised("SERVICE_ERROR"), "requeue", FIRST_RETRY_SECONDS, True),
        (raised("SERVICE_ERROR", 90), "requeue", 90, True),
        (raised("SERVICE_UNREACHABLE"), "requeue", PAUSE_SECONDS, False),
        (raised("SERVICE_UNREACHABLE", 90), "requeue", 90, False),
        (raised("IMAGE_UNREADABLE"), "fail", 0, True),
    ],
)
def test_each_outcome_leads_on(outcome: TaskOutcome, event: str, delay: float, counts: bool) -> None:
    found = ending(outcome)
    assert (found.event, found.delay, found.counts_as_try) == (event, delay, counts)


def test_the_last_try_fails_with_the_code_of_the_failure() -> None:
    found = ending(raised("SERVICE_ERROR"), task(tries=TRIES - 1))
    assert (found.event, found.code) == ("fail", "SERVICE_ERROR")


def test_an_engine_that_is_away_never_fails_a_task() -> None:
    assert ending(raised("SERVICE_UNREACHABLE"), task(tries=TRIES)).event == "requeue"


@pytest.mark.parametrize(
    ("lost", "alone", "event"),
    [(0, True, "requeue"), (MAX_LOST - 1, False, "requeue"), (MAX_LOST - 1, True, "fail"), (MAX_LOST, True, "fail")],
)
def test_a_task_is_to_blame_only_if_it_was_alone_when_its_last_worker_was_lost(
    lost: int, alone: bool, event: str
) -> None:
    found = ending(TaskLost(), task(lost=lost, alone=alone))
    assert (found.event, found.counts_as_lost) == (event, True)
    assert found.code == ("WORKER_LOST" if event == "fail" else None)


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        (TaskSucceeded({}), "succeed"),
        (TaskReturned(), "cancel"),
        (TaskWaits({}, 60), "cancel"),
        (TaskLost(), "cancel"),
        (raised("SERVICE_ERROR"), "cancel"),
        (raised("IMAGE_UNREADABLE"), "fail"),
    ],
)
def test_nothing_of_a_job_that_is_cancelling_starts_again(outcome: TaskOutcome, event: str) -> None:
    assert ending(outcome, cancelling=True).event == event


@pytest.mark.parametrize(("failed_before", "rest"), [(0, 5), (1, 10), (2, 20)])
def test_a_step_that_says_how_long_it_rests_rests_so_long_before_each_try(failed_before: int, rest: float) -> None:
    limits = StepLimits(tries=4, retry_seconds=(5, 10, 20))
    outcome = TaskRaised(WindmillError("SERVICE_TIMEOUT", "slow", retry="later"))
    found = decide(outcome, task(tries=failed_before), cancelling=False, limits=limits, dice=0.9)
    assert (found.event, found.delay) == ("requeue", rest)
