"""What can be asked of jobs, of one or of many: in which states, and how."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, get_args

from windmill.jobs.access import Change, JobAccess
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.requests import cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.jobs.states import JOB_MOVES, JobStatus, sources

T = TypeVar("T")
Request = Callable[[JobAccess, int], Awaitable[T]]


@dataclass(frozen=True)
class JobAction:
    """`verb` stands after "would"; `at_once` jobs are changed at the same time, each in a transaction of its own.
    `sent` is what a gateway is asked for instead: its `action`, and what goes with it."""

    verb: str
    statuses: frozenset[str]
    ask: Request[object]
    sent: Mapping[str, Any]
    at_once: int = 4


@dataclass(frozen=True)
class JobChange(JobAction):
    """An action after which the job is still there."""

    ask: Request[Change]


def cancelling(by: str) -> JobChange:
    return JobChange(
        "cancel", _possible("cancel"), lambda access, job: cancel_job(access, job, by), {"action": "cancel"}
    )


def pausing(by: str, reason: str = "", until: datetime | None = None) -> JobChange:
    sent = {"action": "pause", "reason": reason, "until": until.isoformat() if until else None}
    return JobChange("pause", _possible("pause"), lambda access, job: pause_job(access, job, by, reason, until), sent)


def resuming(by: str) -> JobChange:
    return JobChange(
        "resume", _possible("resume"), lambda access, job: resume_job(access, job, by), {"action": "resume"}
    )


def retrying(from_step: str | None = None) -> JobChange:
    """Without a step, a job that has succeeded has nothing to run again."""
    possible = _possible("rerun") - (frozenset() if from_step else {"succeeded"})
    sent = {"action": "retry", "from_step": from_step}
    return JobChange("retry", possible, lambda access, job: rerun_job(access, job, from_step), sent)


def giving_priority(priority: int) -> JobChange:
    possible, sent = _possible("cancel"), {"action": "priority", "priority": priority}
    verb = f"give priority {priority} to"
    return JobChange(verb, possible, lambda access, job: change_priority(access, job, priority), sent)


def forking(from_step: str, changes: Changes) -> JobChange:
    """After which the change is of the new job."""
    possible = frozenset(get_args(JobStatus)) - {"deleting"}
    sent = {"action": "fork", "from_step": from_step, "inputs": changes.inputs, "parameters": changes.parameters}
    return JobChange("fork", possible, lambda access, job: fork_job(access, job, from_step, changes), sent)


def _possible(event: str) -> frozenset[str]:
    return frozenset(sources(JOB_MOVES, event))
