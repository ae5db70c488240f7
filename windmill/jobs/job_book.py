"""A job and its steps while the job's row is locked: decisions change this book, and what changed is then written."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windmill.jobs.states import ENDED_JOBS, ENDS_AS, JobEvent, next_job_status
from windmill.kernels.flow.fair_queueing import FairTags
from windmill.storage.jobs.book import SeenUnder
from windmill.storage.jobs.rows import Document, EndedTask, JobEventRow, JobRow, OpenTasks, StepRow, changed


@dataclass(frozen=True)
class PlannedTasks:
    """Tasks of a step by shard. They are written when the book is closed; only then is it known where their principal
    stands in the queue, and the tags count from there."""

    step: StepRow
    shards: Mapping[int, Document]
    tags: FairTags

    @property
    def last_tag(self) -> float:
        return self.tags.tag(len(self.shards) - 1)


class JobBook:
    """Mutable. `to_plan` are positions of steps that have to be planned, `new_tasks` counts the tasks that were made
    claimable, by step, and `cancels_open` says that all tasks that do not run are to be cancelled."""

    def __init__(self, job: JobRow, steps: Iterable[StepRow], seen: SeenUnder | None = None) -> None:
        self.job = self.job_before = job
        self._steps = {step.position: step for step in steps}
        self.positions = sorted(self._steps)
        self._read = dict(self._steps)
        self.events: list[JobEventRow] = []
        self.to_plan: list[int] = []
        self.new_tasks: Counter[str] = Counter()
        self.cancels_open = False
        self.planned: list[PlannedTasks] = []
        self.ended_task: EndedTask | None = None
        """The task whose claim ends, not written yet."""
        self.open_tasks: OpenTasks | None = None
        """Which kinds of open tasks there are besides, if that was read."""
        self.seen = seen
        """If the job is not locked, by what it is told that it is still as it was."""

    @property
    def steps(self) -> list[StepRow]:
        return [self._steps[position] for position in self.positions]

    @property
    def changed_steps(self) -> list[StepRow]:
        return [step for step in self.steps if step != self._read[step.position]]

    @property
    def ended(self) -> bool:
        return self.job.status in ENDED_JOBS

    @property
    def held(self) -> bool:
        """Whether new tasks have to wait until the job is resumed."""
        return self.job.status == "paused"

    @property
    def failed_shards(self) -> int:
        return sum(step.failed for step in self.steps)

    @property
    def outputs(self) -> dict[tuple[int, int], Document]:
        """What was made by the task whose claim ends, by its position and shard."""
        task = self.ended_task
        return {(task.position, task.shard): task.output} if task and task.status == "succeeded" else {}

    def plan(self, planned: PlannedTasks) -> None:
        """New tasks, which can be claimed unless the job is paused."""
        step, number = self.step(planned.step.position), len(planned.shards)
        self.planned.append(planned)
        self.change_step(step.position, planned=step.planned + number)
        if not self.held:
            self.new_tasks[step.step] += number

    def planned_shards(self, position: int) -> set[int]:
        """Shards of the step that are planned and not written yet."""
        return {shard for one in self.planned if one.step.position == position for shard in one.shards}

    def step(self, position: int) -> StepRow:
        return self._steps[position]

    def change_step(self, position: int, **changes: Any) -> None:  # noqa: ANN401 - columns of any type
        self._steps[position] = changed(self._steps[position], changes)

    def change_job(self, **changes: Any) -> None:  # noqa: ANN401 - columns of any type
        self.job = changed(self.job, changes)

    def tell(
        self,
        kind: str,
        position: int | None = None,
        shard: int | None = None,
        level: str = "info",
        **data: Any,  # noqa: ANN401 - any JSON
    ) -> None:
        """Append an event to the job's log."""
        self.events.append(JobEventRow(kind, position, shard, level, data))

    def apply(self, event: JobEvent) -> None:
        """Bring the job into the state that the event leads to; raises CONFLICT if it is not possible."""
        status = next_job_status(self.job.status, event, self.job.ends_as)
        self.change_job(status=status, ends_as=ENDS_AS.get(event))

    def ask_to_end(self, event: JobEvent, code: str | None, message: str) -> None:
        """Cancel, expire or give up: what waits is cancelled now, and what runs is told to stop."""
        self.apply(event)
        self.change_job(error_code=code, message=message, paused_by=None, pause_reason=None, paused_until=None)
        self.cancels_open = True
        self.to_plan.clear()
        self.tell("cancelling", level="warning", ends_as=self.job.ends_as, error_code=code, message=message)

    def upstream(self, position: int) -> StepRow | None:
        """The step whose outputs this one is made from: the nearest before it that was not skipped."""
        before = [step for step in self.steps if step.position < position and step.status != "skipped"]
        return before[-1] if before else None

    def streaming_downstream(self, position: int) -> StepRow | None:
        """The step that streams from this one, if there is one."""
        after = [step for step in self.steps if step.position > position and step.status != "skipped"]
        return after[0] if after and after[0].streams else None
