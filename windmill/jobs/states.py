"""The states of jobs and of tasks, and which event leads from which state to which: one table each.

An event that a table does not list for a state is refused, or has no effect; docs/jobs.md draws both.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from windmill.core.errors import WindmillError

JobStatus = Literal[
    "queued", "running", "waiting", "paused", "cancelling", "succeeded", "failed", "cancelled", "expired", "deleting"
]
JobEvent = Literal[
    "start", "wait", "pause", "resume", "cancel", "expire", "give_up", "succeed", "confirm", "rerun", "delete"
]
"""`cancel`, `expire` and `give_up` ask for an end; `confirm` says that nothing of the job runs any more."""
JobEnd = Literal["failed", "cancelled", "expired"]
"""What a job that is cancelling ends as."""

TaskStatus = Literal["queued", "running", "waiting", "succeeded", "failed", "skipped", "cancelled"]
TaskEvent = Literal["claim", "succeed", "fail", "skip", "requeue", "wait", "wake", "cancel", "rerun"]
"""`requeue` returns a task whose worker failed, was lost or gave it back."""

Moves = Mapping[str, Mapping[str, str]]


def _table(moves: dict[str, dict[str, str]]) -> Moves:
    return MappingProxyType({state: MappingProxyType(events) for state, events in moves.items()})


_ASKED_TO_END = {"cancel": "cancelling", "expire": "cancelling", "give_up": "cancelling"}

JOB_MOVES = _table(
    {
        "queued": {"start": "running", "wait": "waiting", "pause": "paused", "succeed": "succeeded", **_ASKED_TO_END},
        "running": {"wait": "waiting", "pause": "paused", "succeed": "succeeded", **_ASKED_TO_END},
        "waiting": {"start": "running", "pause": "paused", "succeed": "succeeded", **_ASKED_TO_END},
        # What runs when a job is paused runs to its end, so the job may succeed without going on.
        "paused": {"resume": "queued", "succeed": "succeeded", **_ASKED_TO_END},
        "cancelling": {"confirm": "ended"},
        "succeeded": {"rerun": "queued", "delete": "deleting"},
        "failed": {"rerun": "queued", "delete": "deleting"},
        "cancelled": {"rerun": "queued", "delete": "deleting"},
        "expired": {"rerun": "queued", "delete": "deleting"},
        "deleting": {},
    }
)
"""`ended` stands for the JobEnd that was noted when the job began to cancel."""

TASK_MOVES = _table(
    {
        "queued": {"claim": "running", "cancel": "cancelled", "skip": "skipped"},
        "running": {
            "succeed": "succeeded",
            "fail": "failed",
            "requeue": "queued",
            "wait": "waiting",
            "cancel": "cancelled",
        },
        "waiting": {"wake": "queued", "cancel": "cancelled"},
        "succeeded": {"rerun": "queued"},
        "failed": {"rerun": "queued"},
        "skipped": {"rerun": "queued"},
        "cancelled": {"rerun": "queued"},
    }
)

ENDS_AS: Mapping[str, JobEnd] = MappingProxyType({"cancel": "cancelled", "expire": "expired", "give_up": "failed"})
"""What a job ends as, by the event that asked for the end."""

_ONLY_FOR: Mapping[JobEvent, str] = MappingProxyType(
    {
        "resume": "; only a paused one can be resumed",
        "rerun": "; only one that has ended can run again",
        "delete": "; cancel it first, or wait for its end",
    }
)
"""What to know when a job is asked for what its state does not allow."""

ENDED_JOBS = frozenset({"succeeded", "deleting", *get_args(JobEnd)})
OPEN_TASKS = frozenset({"queued", "running", "waiting"})


def next_job_status(status: str, event: JobEvent, ends_as: str | None = None) -> JobStatus:
    """The state that the event leads to; raises CONFLICT if it is not possible in this state."""
    found = JOB_MOVES[status].get(event)
    if found is None:
        raise WindmillError("CONFLICT", f"the job is {status}{_ONLY_FOR.get(event, '')}")
    if found == "ended":
        assert ends_as, "a job that is cancelling notes what it ends as"
        return _as_status(ends_as)
    return _as_status(found)


def _as_status(name: str) -> JobStatus:
    return next(one for one in get_args(JobStatus) if one == name)


def job_may(status: str, event: JobEvent) -> bool:
    """Whether the event is possible in this state."""
    return event in JOB_MOVES[status]


def sources(moves: Moves, event: str) -> list[str]:
    """The states that the event is possible in, for a WHERE clause."""
    return [state for state, events in moves.items() if event in events]
