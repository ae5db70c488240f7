"""The step `audio_attribute`: who said which word."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.audio.attribution import attribute, speakers_of
from windmill.kernels.audio.heard_words import HeardWord, word_of
from windmill.pipelines.audio.audio_files import TRANSCRIPT, json_file, read_json, turns_in
from windmill.pipelines.audio.forms import ATTRIBUTE, AUDIO_RETRY_SECONDS, AUDIO_TRIES
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.video_task import folder_of, values_of

LIMITS = StepLimits(concurrency=4, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)


@dataclass(frozen=True)
class AudioAttribute:
    """Brings words and turns together; a talk in which nothing was heard has a transcript, too."""

    limits: StepLimits = LIMITS
    name: str = ATTRIBUTE.name
    version: int = ATTRIBUTE.version
    deterministic: bool = True
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        durations = [output["duration"] for output in inputs.outputs.values()]
        yield {"parameters": inputs.parameters["each"][0], **({"duration": durations[0]} if durations else {})}

    async def run(self, task: RunningTask) -> TaskResult:
        values_of(ATTRIBUTE, parameters_of_run(task))
        return await asyncio.to_thread(_attribute, task)


def _attribute(task: RunningTask) -> TaskResult:
    turns = turns_in(task)
    said = attribute(_heard(task), turns)
    speakers = [asdict(speaker) for speaker in speakers_of(turns, said)]
    duration = {name: task.input[name] for name in ("duration",) if name in task.input}
    document = {**duration, "speakers": speakers, "words": [word.document() for word in said]}
    file = json_file(folder_of(task, "out"), TRANSCRIPT, document)
    return TaskResult({"speakers": len(speakers), "words": len(said)}, [file])


def _heard(task: RunningTask) -> list[HeardWord]:
    """The words of all pieces."""
    return [word_of(one) for path in task.files.get("words", ()) for one in read_json(path)]
