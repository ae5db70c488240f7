"""What can be asked of jobs, of one or of many: in which states, and how."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from windmill.jobs.access import Change, JobAccess
from windmill.jobs.requests import cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.states import JOB_MOVES, sources

T = TypeVar("T")
Request = Callable[[JobAccess, int], Awaitable[T]]


@dataclass(frozen=True)
class JobAction:
    """`verb` stands after "would"; `at_once` jobs are changed at the same time, each in a transaction of its own."""

    verb: str
    statuses: frozenset[str]
    ask: Request[object]
    at_once: int = 4


@dataclass(frozen=True)
class JobChange(JobAction):
    """An action after which the job is still there."""

    ask: Request[Change]


def cancelling(by: str) -> JobChange:
    return JobChange("cancel", _possible("cancel"), lambda access, job: cancel_job(access, job, by))


def pausing(by: str, reason: str = "", until: datetime | None = None) -> JobChange:
    return JobChange("pause", _possible("pause"), lambda access, job: pause_job(access, job, by, reason, until))


def resuming(by: str) -> JobChange:
    return JobChange("resume", _possible("resume"), lambda access, job: resume_job(access, job, by))


def retrying(from_step: str | None = None) -> JobChange:
    """Without a step, a job that has succeeded has nothing to run again."""
    possible = _possible("rerun") - (frozenset() if from_step else {"succeeded"})
    return JobChange("retry", possible, lambda access, job: rerun_job(access, job, from_step))


def giving_priority(priority: int) -> JobChange:
    possible = _possible("cancel")
    verb = f"give priority {priority} to"
    return JobChange(verb, possible, lambda access, job: change_priority(access, job, priority))


def _possible(event: str) -> frozenset[str]:
    return frozenset(sources(JOB_MOVES, event))
