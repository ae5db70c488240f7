"""The step `audio_samples`. A talk without them is still a talk, so what goes wrong here is a warning."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.audio.clean_stretches import best_sample
from windmill.kernels.audio.pcm import level
from windmill.media.audio.wave_files import part, write_wave
from windmill.pipelines.audio.audio_files import SAMPLES as SAMPLES_FILE
from windmill.pipelines.audio.audio_files import json_file, talk_of, turns_in, wave_file
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, SAMPLES
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.video_task import folder_of, values_of

LIMITS = StepLimits(concurrency=4, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)


@dataclass(frozen=True)
class AudioSamples:
    """Cuts out a sample of each voice."""

    limits: StepLimits = LIMITS
    name: str = SAMPLES.name
    version: int = SAMPLES.version
    deterministic: bool = True
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        yield {"parameters": inputs.parameters["each"][0]}

    async def run(self, task: RunningTask) -> TaskResult:
        given = values_of(SAMPLES, parameters_of_run(task))
        try:
            return await asyncio.to_thread(_cut, task, given)
        except WindmillError as error:
            if error.code == "CANCELLED" or error.retry == "pause":
                raise
            return TaskResult({"samples": 0}, warnings=[f"there are no samples: {error.code}: {error.message}"])


def _cut(task: RunningTask, given: Mapping[str, Any]) -> TaskResult:
    turns, talk, folder = turns_in(task), talk_of(task), folder_of(task, "out")
    files: list[ProducedFile] = []
    listed, warnings = [], []
    for speaker in sorted({turn.speaker for turn in turns}):
        span = best_sample(turns, speaker, lambda one: level(part(talk, one)), given["seconds"])
        if span is None:
            warnings.append(f"{speaker} is never to be heard alone, so there is no sample")
            continue
        files.append(wave_file(write_wave(folder / f"sample_{speaker}.wav", part(talk, span))))
        listed.append({"speaker": speaker, "t0": round(span[0], 3), "t1": round(span[1], 3)})
    document = json_file(folder, SAMPLES_FILE, listed)
    starts = {f"sample_{one['speaker']}.wav": one["t0"] for one in listed}
    return TaskResult({"samples": len(listed), "starts": starts}, [*files, document], warnings=warnings)
