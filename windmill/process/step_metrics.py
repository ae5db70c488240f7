"""The metrics of steps of jobs, and their samples."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from windmill.core.timings import Histogram
from windmill.process.metric import Metric, Sample

STEP_TASKS = Metric(
    "windmill_step_tasks_total",
    "counter",
    "Tasks of a step whose claim has ended: succeeded, failed, retried, returned, waiting, cancelled or lost",
    ("step", "outcome", "code"),
)
STEP_RUNNING = Metric("windmill_step_tasks_running", "gauge", "Tasks that this process runs now", ("step",))
STEP_SLOTS = Metric("windmill_step_slots", "gauge", "Tasks that this process runs at most", ("step",))
STEP_CLAIM = Metric(
    "windmill_step_claim_seconds", "histogram", "Claiming a task, or finding that there is none", ("step",)
)
STEP_TOKENS = Metric(
    "windmill_step_tokens_total",
    "counter",
    "Messages that say that there is work: taken from the step's queue, or published to it",
    ("step", "direction"),
)
STEP_LOST = Metric(
    "windmill_step_lost_leases_total",
    "counter",
    "Tasks that this process took over from workers that fell silent",
    ("step",),
)
STEP_WORK = Metric(
    "windmill_step_work",
    "gauge",
    "Tasks of a step in the whole fleet, each state counted up to 10,000; unplanned counts jobs",
    ("step", "state"),
)

STEP_METRICS = (STEP_TASKS, STEP_RUNNING, STEP_SLOTS, STEP_CLAIM, STEP_TOKENS, STEP_LOST, STEP_WORK)

WORK_STATES = ("claimable", "running", "expired", "put_off", "waiting", "unplanned")
"""The columns of the view step_work."""


class StepFigures(Protocol):
    """What a process counts of a step that it runs."""

    @property
    def name(self) -> str: ...

    @property
    def slot_count(self) -> int: ...

    @property
    def in_progress(self) -> int: ...

    @property
    def outcomes(self) -> Mapping[tuple[str, str], int]: ...

    @property
    def tokens_taken(self) -> int: ...

    @property
    def claims(self) -> Histogram: ...


def step_samples(state: StepFigures) -> Iterator[Sample]:
    """`succeeded` is sampled from the start, as rate() needs a value before the first task."""
    step = (state.name,)
    outcomes = {("succeeded", ""): 0, **state.outcomes}
    yield from (Sample(STEP_TASKS, (*step, *key), count) for key, count in sorted(outcomes.items()))
    yield Sample(STEP_RUNNING, step, state.in_progress)
    yield Sample(STEP_SLOTS, step, state.slot_count)
    yield Sample(STEP_CLAIM, step, state.claims)
    yield Sample(STEP_TOKENS, (*step, "taken"), state.tokens_taken)


def published_token_samples(published: Mapping[str, int]) -> Iterator[Sample]:
    return (Sample(STEP_TOKENS, (step, "published"), count) for step, count in sorted(published.items()))


def lost_lease_samples(lost: Mapping[str, int]) -> Iterator[Sample]:
    return (Sample(STEP_LOST, (step,), count) for step, count in sorted(lost.items()))


def step_work_samples(row: Mapping[str, Any]) -> Iterator[Sample]:
    """A row of the view step_work."""
    return (Sample(STEP_WORK, (row["step"], state), row[state]) for state in WORK_STATES)
