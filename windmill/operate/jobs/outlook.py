"""When a job will be done, from what is left of its steps and what tasks of them took lately. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.jobs.measured_times import MeasuredStep


@dataclass(frozen=True)
class StepOutlook:
    """A step of a job: `ahead` are tasks of others that go before its own, `slots` how many tasks run at once."""

    step: str
    status: str
    streams: bool
    planned: int
    settled: int
    planned_whole: bool
    ahead: int
    slots: int

    @property
    def unfinished(self) -> bool:
        """Whether there is a task to run, or to plan."""
        return self.settled < self.planned or not (self.planned_whole or self.streams)


def seconds_left(steps: Sequence[StepOutlook], measured: Mapping[str, MeasuredStep]) -> float | None:
    """Steps run one after the other, and one that streams ends a task after the one before. None if a step that is left
    was never measured, or nobody runs it."""
    total, stage, tasks = 0.0, 0.0, 0.0
    for step in steps:
        if step.status in ("succeeded", "skipped"):
            tasks = step.planned or tasks
            continue
        times = measured.get(step.step)
        if times is None or not step.slots:
            return None
        tasks = expected_tasks(step, times, tasks)
        own = _own_seconds(step, times, tasks)
        if step.streams:
            stage = max(stage, own) + times.task_seconds
        else:
            total, stage = total + stage, own
    return total + stage


def expected_tasks(step: StepOutlook, times: MeasuredStep, before: float) -> float:
    """A step that streams gets about as many tasks as the one before has; another one, as many as it mostly had."""
    if step.planned_whole:
        return step.planned
    return max(step.planned, before if step.streams else times.tasks)


def _own_seconds(step: StepOutlook, times: MeasuredStep, tasks: float) -> float:
    return math.ceil((max(tasks - step.settled, 0) + step.ahead) / step.slots) * times.task_seconds


def missing_worker(steps: Sequence[StepOutlook]) -> WindmillError | None:
    """NO_WORKER if the job waits for a step that nobody runs."""
    waits = [step.step for step in steps if step.status == "running" and step.unfinished and not step.slots]
    return WindmillError("NO_WORKER", f"no worker that is alive runs {', '.join(waits)}") if waits else None


def tasks_ahead(steps: Sequence[StepOutlook]) -> int | None:
    """How many tasks of others go before the next one of the job; None if it waits for nobody."""
    return next((step.ahead for step in steps if step.status == "running" and step.ahead), None)
