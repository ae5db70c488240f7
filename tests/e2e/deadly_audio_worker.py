"""A worker for talk whose engines hear tones, and that dies by SIGKILL in a step, before or after its work:
python -m tests.e2e.deadly_audio_worker audio_count after

Without arguments it lives. After its work means that all is written but the end of the task.
"""

import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tests.unit.pipelines.audio_run import ToneEngines
from windmill.jobs.step import (
    JobView,
    RunningTask,
    ShardInput,
    Step,
    StepCatalog,
    StepInputs,
    StepLimits,
    Suspended,
    TaskResult,
)
from windmill.pipelines.audio.attribute import AudioAttribute
from windmill.pipelines.audio.correct import AudioCorrect
from windmill.pipelines.audio.count import AudioCount
from windmill.pipelines.audio.diarise import AudioDiarise
from windmill.pipelines.audio.join import AudioJoin
from windmill.pipelines.audio.samples import AudioSamples
from windmill.pipelines.audio.transcribe import AudioTranscribe
from windmill.pipelines.audio.vad import AudioVad
from workers.jobs import start

TONES = ToneEngines()
STEPS: tuple[Step, ...] = (
    AudioJoin(),
    AudioVad(TONES),
    AudioDiarise(TONES),
    AudioTranscribe(TONES),
    AudioAttribute(),
    AudioCorrect(),
    AudioCount(),
    AudioSamples(),
)


@dataclass(frozen=True)
class DeadlyStep:
    """Another step, in which the process dies."""

    step: Step
    when: str
    name: str
    limits: StepLimits
    version: int
    deterministic: bool
    streams: bool

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return self.step.plan(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult | Suspended:
        if self.when == "after":
            await self.step.run(task)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("nobody lives here")


def catalog(deadly: str = "", when: str = "") -> StepCatalog:
    return StepCatalog([_deadly(step, when) if step.name == deadly else step for step in STEPS])


def _deadly(step: Step, when: str) -> DeadlyStep:
    return DeadlyStep(step, when, step.name, step.limits, step.version, step.deterministic, step.streams)


if __name__ == "__main__":
    sys.exit(start(catalog(*sys.argv[1:])))
