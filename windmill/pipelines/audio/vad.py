"""The step `audio_vad`: where something is said. What is said is cut into pieces, each a task of the recogniser, which
so gets its own seconds of a long talk only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.engines.engine import EngineResult, ProducedFile
from windmill.engines.outputs import bad_output
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.spans import Span, grouped, merged, total
from windmill.media.audio.wave_files import part, write_wave
from windmill.pipelines.audio.audio_files import SPEECH, json_file, only, rounded, talk_of, wave_file
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, VAD
from windmill.pipelines.audio.listening import document_of, engines_of, listen, warnings_of
from windmill.pipelines.job_steps.engine_choice import use_preferred
from windmill.pipelines.job_steps.engine_step import RunsEngines
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.video_task import folder_of, values_of

LIMITS = StepLimits(concurrency=2, timeout_seconds=86_400, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)
TASK = "detect_speech"
WINDOW_SECONDS = 28.0
"""Recognisers hear half a minute at a time."""
_WINDOW_GAP, _PIECE_GAP = 0.8, 10.0


@dataclass(frozen=True)
class AudioVad:
    """Has an engine find speech, and cuts it out."""

    engines: RunsEngines
    limits: StepLimits = LIMITS
    name: str = VAD.name
    version: int = VAD.version
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            yield {"parameters": given, "talk": output["talk"]}

    async def run(self, task: RunningTask) -> TaskResult:
        given = values_of(VAD, parameters_of_run(task))
        found: list[Span] = []

        async def use(engine: str) -> EngineResult:
            parameters = {"task": TASK, "least_pause": given["least_pause"]}
            inputs = {"input": only(task, "talk", ".wav")}
            made = await listen(self.engines, engine, task, inputs, parameters, lambda done: task.progress(done * 0.9))
            found[:] = spans_of_answer(document_of(made, SPEECH), task.input["talk"]["duration"])
            return made

        chosen = await use_preferred(engines_of(task), use)
        files, pieces = _pieces(talk_of(task), found, given["piece_seconds"], folder_of(task, "out"))
        output = {"talk": task.input["talk"], "speech": round(total(found), 3), "pieces": pieces}
        return TaskResult({**output, "engine": chosen.engine}, files, warnings=warnings_of(chosen))


def spans_of_answer(document: object, seconds: float) -> list[Span]:
    """The stretches in an answer; raises BAD_RESPONSE if they are none."""
    try:
        spans = [(max(0.0, float(start)), min(float(end), seconds)) for start, end in document]  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise bad_output(f"{SPEECH} is no list of pairs of seconds") from error
    return merged((start, end) for start, end in spans if start < end)


def _pieces(
    talk: Pcm, speech: Sequence[Span], piece_seconds: float, folder: Path
) -> tuple[list[ProducedFile], list[dict[str, Any]]]:
    """A WAV file for each piece, with the windows in it that a recogniser is given one by one."""
    windows = grouped(speech, WINDOW_SECONDS, _WINDOW_GAP)
    files, pieces = [json_file(folder, SPEECH, rounded(speech))], []
    for number, span in enumerate(grouped(windows, max(piece_seconds, WINDOW_SECONDS), _PIECE_GAP)):
        start = round(span[0] * RATE) / RATE
        inside = [window for window in windows if span[0] <= window[0] < span[1]]
        path = write_wave(folder / f"speech_{number:05d}.wav", part(talk, (start, span[1])))
        files.append(wave_file(path))
        pieces.append({"file": path.name, "start": start, "windows": rounded(inside)})
    return files, pieces
