"""A step on pictures as a step of jobs. It runs in a process of its own, whose memory is bounded and which can be ended
while it computes."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from windmill.core.settings import load_settings
from windmill.engines.engine import ProducedFile
from windmill.engines.outputs import media_type_of, must_have_room
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.pipelines.job_steps.planned_runs import parameters_of_run, plan_runs
from windmill.pipelines.picture_step import PictureStep

LIMITS = StepLimits(timeout_seconds=1_800, in_child=True)
_OPENCV_HAS_NO_MEMORY = -4


@dataclass(frozen=True)
class PictureTask:
    """Runs a step on pictures."""

    step: PictureStep
    limits: StepLimits = LIMITS
    max_pixels: Callable[[], int] = lambda: load_settings().max_image_pixels
    deterministic: bool = True
    streams: bool = False

    @property
    def name(self) -> str:
        return self.step.name

    @property
    def version(self) -> int:
        return self.step.version

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult:
        must_have_room(task.scratch)
        made = await asyncio.to_thread(self._make, task)
        return TaskResult(
            {"files": len(made)}, [ProducedFile(path.name, path, media_type_of(path.name)) for path in made]
        )

    def _make(self, task: RunningTask) -> Sequence[Path]:
        try:
            return self.step.run(task.files, parameters_of_run(task), task.scratch / "out", self.max_pixels())
        except Exception as error:
            if getattr(error, "code", None) == _OPENCV_HAS_NO_MEMORY:
                raise MemoryError from error
            raise
