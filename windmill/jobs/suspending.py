"""Tasks that are suspended: what is written of one, and what is read of it when it runs again."""

from windmill.jobs.outcomes import TaskWaits
from windmill.jobs.step import Suspended
from windmill.storage.jobs.rows import ClaimedTask, Document

_STATE, _NEEDS_FILES = "state", "needs_files"


def suspend(suspended: Suspended) -> TaskWaits:
    """The outcome of a claim that ends in waiting. The state takes the place of the output until there is one."""
    kept = {_STATE: dict(suspended.state), _NEEDS_FILES: suspended.needs_files}
    return TaskWaits(kept, suspended.seconds, suspended.done)


def resumed_state(task: ClaimedTask) -> Document | None:
    """The state with which the task was suspended."""
    found: Document | None = task.output.get(_STATE)
    return found


def needs_files(task: ClaimedTask) -> bool:
    """Whether its files have to be brought: to one that begins always."""
    return bool(task.output.get(_NEEDS_FILES, True))
