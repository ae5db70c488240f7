"""The timeline of a job as it is drawn: a lane for each step and shard, a thousand units wide. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.pages.badges import Badge, badge
from gateway.pages.words import span
from windmill.operate.jobs.timeline import Bar, Timeline, TimelineStep, TimelineTask

WIDTH = 1_000
_MOST_TICKS = 5
_STEPS = (*(base * 10.0**power for power in range(-3, 1) for base in (1, 2, 5)), 15, 30, 60, 120, 300, 600, 900, 1_800,
          3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800)  # fmt: skip
"""Seconds between two ticks, as people count."""


@dataclass(frozen=True)
class DrawnBar:
    """`look` is waiting, running, failed or done."""

    look: str
    x: int
    width: int


@dataclass(frozen=True)
class Tick:
    """A time on the axis: where, in hundredths of its width, and how it stands there."""

    at: int
    said: str

    @property
    def anchor(self) -> str:
        return "start" if not self.at else "end" if self.at > 95 else "mid"


@dataclass(frozen=True)
class Lane:
    """A line of the timeline."""

    key: str
    name: str
    state: Badge
    bars: tuple[DrawnBar, ...]
    failures: tuple[int, ...]
    waited: str
    ran: str
    worker: str
    is_step: bool
    note: str = ""
    last: bool = False


@dataclass(frozen=True)
class Chart:
    """All lanes; `now` is where it is on their scale, whose marks are told in `axis`."""

    lanes: tuple[Lane, ...]
    now: int | None
    axis: tuple[Tick, ...]
    spoken: str


def chart(timeline: Timeline) -> Chart:
    scale = _Scale(timeline.axis)
    lanes = tuple(lane for position, step in enumerate(timeline.steps) for lane in _lanes(scale, position, step))
    return Chart(
        lanes,
        None if timeline.now is None else scale.place(timeline.now),
        ticks(timeline.axis),
        "; ".join(f"{step.name} ran {span(step.ran)}, {step.status}" for step in timeline.steps),
    )


def ticks(seconds: float) -> tuple[Tick, ...]:
    """From the start on in round steps, as many as have room."""
    step = next((one for one in _STEPS if seconds / one <= _MOST_TICKS), seconds / _MOST_TICKS)
    return tuple(Tick(round(part * step / seconds * 100), span(part * step)) for part in range(int(seconds / step) + 1))


@dataclass(frozen=True)
class _Scale:
    seconds: float

    def place(self, seconds: float) -> int:
        return round(min(max(seconds / self.seconds, 0.0), 1.0) * WIDTH)

    def bar(self, bar: Bar, look: str) -> DrawnBar:
        start, end = self.place(bar.start), self.place(bar.end)
        return DrawnBar(look, start, max(end - start, 2))


def _lanes(scale: _Scale, position: int, step: TimelineStep) -> Iterable[Lane]:
    yield Lane(
        key=f"s{position}",
        name=step.name,
        state=_step_badge(step),
        bars=(scale.bar(step.bar, _step_look(step)),) if step.bar else (),
        failures=(),
        waited=_seconds(step.waited),
        ran=_seconds(step.ran),
        worker="",
        is_step=True,
        note=_note(step),
    )
    if step.planned > 1 or any(task.failures or task.status == "failed" for task in step.tasks):
        for task in step.tasks:
            yield _task(scale, position, task)


def _is_waiting(step: TimelineStep) -> bool:
    """Whether nobody has begun any of it, though it may."""
    return step.status == "running" and not step.hidden and all(task.status == "queued" for task in step.tasks)


def _step_look(step: TimelineStep) -> str:
    if step.status == "failed":
        return "failed"
    return "waiting" if _is_waiting(step) else "running"


def _step_badge(step: TimelineStep) -> Badge:
    if _is_waiting(step):
        return badge("waiting", "waits")
    if step.status == "running" and step.planned > 1:
        return badge("running", f"{step.settled} of {step.planned}")
    if step.status == "succeeded" and step.failed:
        return badge("warned", f"done, {step.failed} failed")
    return badge("done" if step.status == "succeeded" else step.status)


def _note(step: TimelineStep) -> str:
    if step.skip_reason:
        return step.skip_reason
    return f"{step.hidden:,} more shards are not drawn" if step.hidden and step.planned > 1 else ""


def _task(scale: _Scale, position: int, task: TimelineTask) -> Lane:
    return Lane(
        key=f"s{position}-{task.shard}",
        name=f"shard {task.shard + 1}",
        state=_task_badge(task),
        bars=tuple(scale.bar(bar, bar.kind) for bar in task.bars),
        failures=tuple(scale.place(moment) for moment in task.failures),
        waited=_seconds(task.waited),
        ran=_seconds(task.ran),
        worker=task.worker,
        is_step=False,
        note=task.error_code or "",
        last=task.last,
    )


def _task_badge(task: TimelineTask) -> Badge:
    if task.status == "running":
        return badge("running", f"running {task.progress:.0%}" if task.progress else "running")
    if task.status == "succeeded":
        return badge("warned", f"done at try {task.attempt}") if task.attempt > 1 else badge("done")
    return badge("waiting", "waits") if task.status == "queued" else badge(task.status)


def _seconds(value: float) -> str:
    return span(value) if value >= 0.001 else ""
