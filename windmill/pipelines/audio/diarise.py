"""The step `audio_diarise`: who speaks when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windmill.engines.engine import EngineResult
from windmill.engines.outputs import bad_output
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.audio.speaker_turns import SpeakerTurn, joined_turns, relabelled
from windmill.pipelines.audio.audio_files import TURNS, json_file, only
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, DIARISE
from windmill.pipelines.audio.listening import document_of, engines_of, listen, warnings_of
from windmill.pipelines.job_steps.engine_choice import use_preferred
from windmill.pipelines.job_steps.engine_step import RunsEngines
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.video_task import folder_of, values_of

LIMITS = StepLimits(concurrency=2, timeout_seconds=86_400, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)
TASK = "diarise_speech"
LEAST_SECONDS = 0.1
_NAMES = (("speaker", "t0", "t1"), ("speaker_id", "start_time", "end_time"), ("speaker", "start", "end"))
"""What engines call a speaker, a start and an end: ours, the first system's, and others'."""


@dataclass(frozen=True)
class AudioDiarise:
    """Has an engine tell the speakers apart."""

    engines: RunsEngines
    limits: StepLimits = LIMITS
    name: str = DIARISE.name
    version: int = DIARISE.version
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            yield {"parameters": given, "talk": output["talk"], "pieces": output["pieces"]}

    async def run(self, task: RunningTask) -> TaskResult:
        given = values_of(DIARISE, parameters_of_run(task))
        turns: list[SpeakerTurn] = []

        async def use(engine: str) -> EngineResult:
            inputs = {"input": only(task, "talk", ".wav"), "speech": only(task, "speech", ".json")}
            most = {"max_speakers": given["max_speakers"]} if given["max_speakers"] else {}
            made = await listen(self.engines, engine, task, inputs, {"task": TASK, **most}, task.progress)
            turns[:] = turns_of_answer(document_of(made, TURNS), task.input["talk"]["duration"])
            return made

        chosen = await use_preferred(engines_of(task), use)
        file = json_file(folder_of(task, "out"), TURNS, [turn.document() for turn in turns])
        speakers = len({turn.speaker for turn in turns})
        output = {"talk": task.input["talk"], "pieces": task.input["pieces"], "speakers": speakers}
        return TaskResult({**output, "engine": chosen.engine}, [file], warnings=warnings_of(chosen))


def turns_of_answer(document: object, seconds: float) -> list[SpeakerTurn]:
    """The turns in an answer, with labels of ours; raises BAD_RESPONSE if there are none in it."""
    listed = document.get("segments") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise bad_output("it answered neither a list of turns nor an object with segments")
    turns = [_turn(one, seconds) for one in listed]
    return relabelled(joined_turns(turn for turn in turns if turn.t1 - turn.t0 >= LEAST_SECONDS))


def _turn(one: Mapping[str, Any], seconds: float) -> SpeakerTurn:
    try:
        speaker, start, end = next(names for names in _NAMES if all(name in one for name in names))
        return SpeakerTurn(str(one[speaker]), max(0.0, float(one[start])), min(seconds, float(one[end])))
    except (StopIteration, TypeError, ValueError) as error:
        raise bad_output(f"{one!r:.100} is no turn of a speaker") from error
