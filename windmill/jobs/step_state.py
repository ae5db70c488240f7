"""What a process counts of a step that it runs, for its heartbeat, its log and its metrics."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from windmill.core.errors import WindmillError
from windmill.core.timings import STEP_SECONDS, Histogram
from windmill.core.wanted_states import WantedStates
from windmill.jobs.access import Change
from windmill.jobs.outcomes import TaskEnding
from windmill.jobs.step import Step

_OUTCOMES = {"succeed": "succeeded", "fail": "failed", "wait": "waiting", "cancel": "cancelled"}
_HEARTBEAT_COUNTS = {
    "succeeded": "Stored",
    "failed": "Failed",
    "retried": "RetryLater",
    "returned": "Unavailable",
    "lost": "Unavailable",
}


@dataclass(frozen=True)
class StepSlotCount:
    """How many tasks of a step a process runs at once."""

    size: int


class StepBreaker(Protocol):
    """Open while something is away that tasks of the step need; they are put off meanwhile."""

    @property
    def state(self) -> str: ...

    @property
    def reason(self) -> WindmillError | None: ...


@runtime_checkable
class HasBreaker(Protocol):
    """A step that needs something which may be away."""

    @property
    def breaker(self) -> StepBreaker: ...


@dataclass(frozen=True)
class NoBreaker:
    """For a step that needs nothing of the kind."""

    state: str = "closed"
    reason: WindmillError | None = None


@dataclass
class StepState:
    """Mutable. `counts` are by the names that a heartbeat knows, `outcomes` by outcome and error code."""

    service: Step
    """The step; heartbeats of services and of steps are rows of one table."""
    counts: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    claims: Histogram = field(default_factory=lambda: Histogram(STEP_SECONDS))
    in_progress: int = 0
    tokens_taken: int = 0
    adapts_concurrency: bool = False
    paused: bool = False

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def breaker(self) -> StepBreaker:
        return self.service.breaker if isinstance(self.service, HasBreaker) else NoBreaker()

    @property
    def slot_count(self) -> int:
        return self.service.limits.concurrency

    @property
    def slots(self) -> StepSlotCount:
        return StepSlotCount(self.slot_count)

    def want(self, wanted: WantedStates) -> None:
        """Claim nothing while people want a pause."""
        self.paused = wanted.pause_of(self.name) is not None

    def claimed(self, seconds: float) -> None:
        """The database was asked for a task."""
        self.claims.note(seconds)

    def token(self) -> None:
        """A token was taken from the queue."""
        self.tokens_taken += 1

    def ended(self, change: Change | None) -> None:
        """A task was worked on; None if its lease was lost, or could not be ended."""
        outcome = outcome_of(change.ending) if change and change.ending else "lost"
        code = change.ending.code if change and change.ending else None
        self.outcomes[outcome, code or ""] += 1
        if outcome in _HEARTBEAT_COUNTS:
            self.counts[_HEARTBEAT_COUNTS[outcome]] += 1


def outcome_of(ending: TaskEnding) -> str:
    """`retried` if a try was counted, `returned` if the task goes back as it was."""
    if ending.event == "requeue":
        return "retried" if ending.counts_as_try else "returned"
    return _OUTCOMES[ending.event]
