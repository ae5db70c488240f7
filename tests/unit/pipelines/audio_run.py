"""Runs the steps on a recording one after the other, with the files that a job would give them, and engines that
understand tones."""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from dev.farm.audio.tones import hear
from windmill.core.errors import Code, WindmillError
from windmill.engines.builtin import BuiltinEngine
from windmill.engines.engine import EngineOutput, EngineRequest, OnProgress, ProducedFile
from windmill.jobs.step import JobView, Step, StepInputs, TaskResult
from windmill.jobs.step_state import NoBreaker, StepBreaker
from windmill.jobs.task_run import GivenTask
from windmill.media.audio.wave_files import open_wave
from windmill.pipelines.audio.attribute import AudioAttribute
from windmill.pipelines.audio.audio_files import read_json
from windmill.pipelines.audio.diarise import AudioDiarise
from windmill.pipelines.audio.join import AudioJoin
from windmill.pipelines.audio.samples import AudioSamples
from windmill.pipelines.audio.transcribe import AudioTranscribe
from windmill.pipelines.audio.vad import AudioVad
from windmill.pipelines.job_steps.engine_step import RunsEngines
from windmill.storage.jobs.rows import TaskKey

JOB = JobView(uuid.UUID(int=1), "test", {}, {}, "")
Answers = Callable[[EngineRequest], object]


def _words(request: EngineRequest) -> object:
    assert request.main_input
    heard = hear(np.asarray(open_wave(request.main_input)))
    return {"words": [{"word": one.word, "start": one.t0, "end": one.t1, "probability": 0.9} for one in heard]}


def _turns(request: EngineRequest) -> object:
    assert request.main_input
    heard = hear(np.asarray(open_wave(request.main_input)))
    turns = [{"speaker_id": f"v{one.speaker}", "start_time": one.t0, "end_time": one.t1} for one in heard]
    return {"segments": turns}


HEARS: Mapping[str, Answers] = {"diarise_speech": _turns, "transcribe_speech": _words}


@dataclass
class ToneEngines:
    """`tones` understands tones, `default` is the built-in engine; `fails` are codes by engine and task."""

    hears: Mapping[str, Answers] = field(default_factory=lambda: HEARS)
    fails: Mapping[tuple[str, str], Code] = field(default_factory=dict)
    breaker: StepBreaker = field(default_factory=NoBreaker)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def version_of(self, name: str) -> str:
        return ""

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineOutput:
        task = str(request.parameters["task"])
        self.asked.append((name, task))
        if code := self.fails.get((name, task)):
            raise WindmillError(code, f"{name} could not")
        if name == "default" or task not in self.hears:
            return await BuiltinEngine(name).run(request, on_progress, cancelled)
        request.out.mkdir(parents=True)
        path = request.out / "answer.json"
        path.write_bytes(orjson.dumps(self.hears[task](request)))
        return EngineOutput([ProducedFile(path.name, path, "application/json")])


@dataclass
class AudioRun:
    """All that is made of one recording; each step's results by its name. Mutable."""

    scratch: Path
    engines: RunsEngines = field(default_factory=ToneEngines)
    results: dict[str, list[TaskResult]] = field(default_factory=dict)

    async def step(
        self, step: Step, before: str, files: Mapping[str, Sequence[Path]], given: Mapping[str, Any], **more: object
    ) -> list[TaskResult]:
        outputs = {shard: result.output for shard, result in enumerate(self.results.get(before, []))}
        parameters: dict[str, Any] = {"each": [dict(given)], **more}
        results = []
        for shard, asked in enumerate(step.plan(JOB, StepInputs(parameters, outputs))):
            named = asked.get("files", {})
            own = {
                name: [path for path in paths if name not in named or path.name in named[name]]
                for name, paths in files.items()
            }
            scratch = self.scratch / step.name / str(shard)
            scratch.mkdir(parents=True)
            task = GivenTask("1-0-0", JOB, asked, parameters, own, scratch, lambda _: None, key=TaskKey(1, 0, 0))
            done = await step.run(task)
            assert isinstance(done, TaskResult)
            results.append(done)
        self.results[step.name] = results
        return results

    def files(self, name: str) -> list[Path]:
        return [made.path for result in self.results[name] for made in result.artifacts]

    def document(self, step: str, name: str) -> Any:  # noqa: ANN401 - any JSON
        return read_json(next(path for path in self.files(step) if path.name == name))

    @property
    def warnings(self) -> list[str]:
        return [one for results in self.results.values() for result in results for one in result.warnings]

    async def join(self, recording: Path) -> None:
        await self.step(AudioJoin(), "", {"audio": [recording]}, {})

    async def listen(self, engines: Sequence[str] = ("tones",), **of_vad: object) -> None:
        """All steps after the first."""
        named = {"engines": list(engines)}
        talk = {"talk": self.files("audio_join")}
        await self.step(AudioVad(self.engines), "audio_join", talk, of_vad, task="detect_speech", **named)
        speech = {"speech": self.files("audio_vad")}
        await self.step(AudioDiarise(self.engines), "audio_vad", {**talk, **speech}, {}, task="diarise_speech", **named)
        await self.step(AudioTranscribe(self.engines), "audio_diarise", speech, {}, task="transcribe_speech", **named)
        heard = {"words": self.files("audio_transcribe"), "turns": self.files("audio_diarise")}
        await self.step(AudioAttribute(), "audio_transcribe", heard, {})
        await self.step(AudioSamples(), "audio_attribute", {**talk, "turns": self.files("audio_diarise")}, {})
