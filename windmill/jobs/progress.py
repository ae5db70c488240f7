"""How much of a job is done, in 0..1."""

from collections.abc import Mapping, Sequence

from windmill.storage.jobs.rows import StepRow

MOST_BEFORE_THE_END = 0.999
"""1 is only for jobs that have succeeded."""
DIGITS = 6
"""More nobody reads, and PostgreSQL refuses a share that is too small for its type."""


def job_progress(steps: Sequence[StepRow], running: Mapping[int, float]) -> float:
    """The share that is done: steps by weight, shards that failed counted like others that have settled. `running` is
    what the tasks of each step that run or wait have done, as a number of shards. What is skipped is no work."""
    wanted = [step for step in steps if step.status != "skipped"]
    total = sum(step.weight for step in wanted)
    done, before = 0.0, 0
    for step in wanted:
        done += step.weight * _step_progress(step, running.get(step.position, 0.0), before)
        before = step.planned or before
    return round(min(done / total, MOST_BEFORE_THE_END), DIGITS) if total > 0 else 0.0


def _step_progress(step: StepRow, running: float, before: int) -> float:
    """While a step is still being planned, at least one more task is to come; a step that streams gets about as many as
    the step before has."""
    if step.status == "succeeded":
        return 1.0
    expected = step.planned
    if step.plan_cursor is not None:
        expected = max(expected + 1, before if step.streams else 0)
    return min((step.settled + running) / expected, 1.0) if expected else 0.0
