"""The step `audio_transcribe`: a task for each piece of speech, and in it a request for each window. Windows know
nothing of each other, so a recogniser that is caught in a loop gets out of it with the next one."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from windmill.engines.engine import EngineOutput, EngineResult
from windmill.engines.outputs import bad_output
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.audio.heard_words import HeardWord, NotHeard, words_of_answer
from windmill.kernels.audio.spans import Span
from windmill.media.audio.wave_files import open_wave, part, write_wave
from windmill.pipelines.audio.audio_files import WORDS, json_file, spans_in
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, TRANSCRIBE
from windmill.pipelines.audio.listening import document_of, engines_of, listen, warnings_of
from windmill.pipelines.audio.word_lists import FindWords, configured_words
from windmill.pipelines.job_steps.engine_choice import use_preferred
from windmill.pipelines.job_steps.engine_step import RunsEngines
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.video_task import folder_of, values_of

LIMITS = StepLimits(concurrency=2, timeout_seconds=86_400, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)
TASK = "transcribe_speech"
_PAD = 0.2


@dataclass(frozen=True)
class AudioTranscribe:
    """Has an engine write down the words of one piece."""

    engines: RunsEngines
    find_words: FindWords = configured_words
    limits: StepLimits = LIMITS
    name: str = TRANSCRIBE.name
    version: int = TRANSCRIBE.version
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            duration = output["talk"]["duration"]
            for piece in output["pieces"]:
                yield {"parameters": given, "duration": duration, "piece": piece, "files": {"speech": [piece["file"]]}}

    async def run(self, task: RunningTask) -> TaskResult:
        parameters = self._parameters(values_of(TRANSCRIBE, parameters_of_run(task)))
        (path,) = task.files["speech"]
        words: list[HeardWord] = []

        async def use(engine: str) -> EngineResult:
            words.clear()
            made = EngineOutput([])
            windows = spans_in(task.input["piece"]["windows"])
            for number, window in enumerate(windows):
                made, heard = await self._hear(engine, task, parameters, path, (number, window))
                words.extend(heard)
                task.progress((number + 1) / len(windows))
            return made

        chosen = await use_preferred(engines_of(task), use)
        file = json_file(folder_of(task, "out"), WORDS, [word.document() for word in words])
        first = task.input["piece"]["file"].endswith("_00000.wav")
        warnings = warnings_of(chosen) if first or chosen.passed_over else []
        return TaskResult(
            {"duration": task.input["duration"], "words": len(words), "engine": chosen.engine},
            [file],
            warnings=warnings,
        )

    async def _hear(
        self, engine: str, task: RunningTask, parameters: Mapping[str, Any], path: Path, numbered: tuple[int, Span]
    ) -> tuple[EngineOutput, list[HeardWord]]:
        """The words of one window, with the times of the whole talk."""
        number, window = numbered
        start = task.input["piece"]["start"]
        sound, own = open_wave(path), (max(0.0, window[0] - start - _PAD), window[1] - start + _PAD)
        cut = write_wave(folder_of(task, "windows") / f"{number}.wav", part(sound, own))
        made = await listen(self.engines, engine, task, {"input": cut}, parameters, lambda _: None, f"-{number}")
        try:
            heard = words_of_answer(document_of(made, WORDS), own[1] - own[0])
        except NotHeard as error:
            raise bad_output(f"its answer cannot be read: {error}") from error
        begins = start + own[0]
        return made, [replace(word, t0=begins + word.t0, t1=begins + word.t1) for word in heard]

    def _parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What an engine is asked. One that hears no sounds passes them over; they are those of English."""
        asked = {"task": TASK, "language": given["language"]}
        is_english = str(given["language"]).startswith("en")
        sounds = self.find_words(given["words"]).sounds if given.get("words") and is_english else ()
        return asked | {"sounds": [asdict(sound) for sound in sounds]} if sounds else asked
