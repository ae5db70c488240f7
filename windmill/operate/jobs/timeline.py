"""When each task of a job waited and ran, as bars on one line of time. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

BarKind = Literal["waiting", "running"]


@dataclass(frozen=True)
class TaskRow:
    """What the table holds of a task."""

    position: int
    shard: int
    status: str
    queued_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    waited: float
    ran: float
    attempt: int
    worker: str | None
    progress: float
    error_code: str | None


@dataclass(frozen=True)
class FailedTry:
    """A try after which the task was queued again: when it ended, and how long it ran."""

    position: int
    shard: int
    at: datetime
    ran: float


class Bar(NamedTuple):
    """From and to are seconds after the job was made."""

    kind: BarKind
    start: float
    end: float


@dataclass(frozen=True)
class TimelineTask:
    """A shard. `failures` are where its tries failed; the `last` of a step to end is what the next step waited for."""

    shard: int
    status: str
    bars: tuple[Bar, ...]
    failures: tuple[float, ...]
    waited: float
    ran: float
    attempt: int
    worker: str
    progress: float
    error_code: str | None
    last: bool


@dataclass(frozen=True)
class TimelineStep:
    """A step, from its start to its end, and those of its tasks that are shown; `hidden` are more."""

    name: str
    status: str
    skip_reason: str | None
    planned: int
    settled: int
    failed: int
    waited: float
    ran: float
    bar: Bar | None
    tasks: tuple[TimelineTask, ...]

    @property
    def hidden(self) -> int:
        return max(self.planned - len(self.tasks), 0)


@dataclass(frozen=True)
class Timeline:
    """All steps on a line of so many seconds; `now` is where it is while the job goes on."""

    axis: float
    now: float | None
    steps: tuple[TimelineStep, ...]


@dataclass(frozen=True)
class StepRow:
    """What the table holds of a step."""

    name: str
    status: str
    skip_reason: str | None
    planned: int
    settled: int
    failed: int
    waited: float
    ran: float
    started_at: datetime | None
    ended_at: datetime | None


_AXES = (10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 172_800, 604_800)


class Span(NamedTuple):
    """When the job was made, and when it ended or what time it is. A drawing has room for `axis` seconds."""

    start: datetime
    until: datetime
    ended: bool
    axis: float

    @classmethod
    def of(cls, start: datetime, ended_at: datetime | None, now: datetime) -> "Span":
        """While the job goes on the axis grows in large steps, and the time on it goes by hundredths: so what is drawn
        changes seldom."""
        if ended_at:
            return cls(start, ended_at, ended=True, axis=max((ended_at - start).total_seconds(), 0.001))
        seconds = max((now - start).total_seconds(), 0.0)
        axis = next((length for length in _AXES if length >= seconds * 1.05), seconds * 1.5)
        return cls(start, start + timedelta(seconds=int(seconds / axis * 100) * axis / 100), ended=False, axis=axis)

    def after(self, moment: datetime) -> float:
        return max((min(moment, self.until) - self.start).total_seconds(), 0.0)


def timeline(span: Span, steps: Sequence[StepRow], tasks: Iterable[TaskRow], tries: Iterable[FailedTry]) -> Timeline:
    by_step: dict[int, list[TaskRow]] = defaultdict(list)
    for task in tasks:
        by_step[task.position].append(task)
    failed: dict[tuple[int, int], list[FailedTry]] = defaultdict(list)
    for one in tries:
        failed[one.position, one.shard].append(one)
    shown = (_step(span, step, by_step[position], failed) for position, step in enumerate(steps))
    return Timeline(span.axis, None if span.ended else span.after(span.until), tuple(shown))


def _step(
    span: Span, step: StepRow, tasks: Sequence[TaskRow], failed: Mapping[tuple[int, int], Sequence[FailedTry]]
) -> TimelineStep:
    ends = [task.ended_at for task in tasks if task.ended_at]
    last = max(ends) if ends and step.ended_at and len(tasks) > 1 else None
    begun, ended = step.started_at, step.ended_at or span.until
    return TimelineStep(
        name=step.name,
        status=step.status,
        skip_reason=step.skip_reason,
        planned=step.planned,
        settled=step.settled,
        failed=step.failed,
        waited=step.waited,
        ran=step.ran,
        bar=Bar("running", span.after(begun), span.after(ended)) if begun else None,
        tasks=tuple(
            _task(span, task, failed.get((task.position, task.shard), ()), last=task.ended_at == last is not None)
            for task in tasks
        ),
    )


def _task(span: Span, task: TaskRow, tries: Sequence[FailedTry], *, last: bool) -> TimelineTask:
    return TimelineTask(
        shard=task.shard,
        status=task.status,
        bars=tuple(bar for bar in _bars(span, task, tries) if bar.end > bar.start),
        failures=tuple(span.after(one.at) for one in tries),
        waited=_waited(span, task),
        ran=_ran(span, task),
        attempt=task.attempt,
        worker=task.worker or "",
        progress=task.progress,
        error_code=task.error_code,
        last=last,
    )


def _bars(span: Span, task: TaskRow, tries: Sequence[FailedTry]) -> Iterable[Bar]:
    """Each try ran up to its failure, and the task waited between them."""
    since: float | None = None
    for one in tries:
        end = span.after(one.at)
        start = max(end - one.ran, 0.0)
        if since is not None:
            yield Bar("waiting", since, start)
        yield Bar("running", start, end)
        since = end
    queued = span.after(task.queued_at) if since is None else since
    runs = task.claimed_at is not None and (task.status == "running" or task.ended_at is not None)
    claimed = task.claimed_at if runs and task.claimed_at and span.after(task.claimed_at) >= queued else None
    yield Bar("waiting", queued, span.after(claimed or task.ended_at or span.until))
    if claimed:
        yield Bar("running", span.after(claimed), span.after(task.ended_at or span.until))


def _waited(span: Span, task: TaskRow) -> float:
    """With what a task that is in the queue has waited by now."""
    return task.waited + (span.after(span.until) - span.after(task.queued_at) if task.status == "queued" else 0.0)


def _ran(span: Span, task: TaskRow) -> float:
    runs = task.status == "running" and task.claimed_at is not None
    return task.ran + (span.after(span.until) - span.after(task.claimed_at) if runs and task.claimed_at else 0.0)
