"""Has a process listen that keeps its models in memory. Only that process loads them: the worker stays as small as it
is, and a model that takes too much memory or hangs is ended with it."""

import asyncio
import sys
from pathlib import Path

import windmill
from windmill.core.errors import WindmillError
from windmill.engines.audio.libraries import (
    INSTALL,
    MODULES,
    PHONE_RECOGNISER,
    WORDS,
    can_hear_phones,
    missing_modules,
    must_be_installed,
)
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, OnProgress
from windmill.engines.entries import AudioEntry, ProcessEntry
from windmill.engines.process.lines_engine import LinesEngine

PROGRAM = "windmill.engines.audio.program"


class AudioEngine:
    """Detects speech, tells speakers apart, and transcribes."""

    kind: EngineKind = "audio"

    def __init__(self, name: str, entry: AudioEntry, environ: dict[str, str]) -> None:
        self.name = name
        self._entry = entry
        self._lines = LinesEngine(name, _program(entry), environ)

    async def check(self) -> EngineHealth:
        """Whether all that it needs is installed; the models are loaded by the first request."""
        missing = [name for task in MODULES for name in missing_modules(self._entry, task)]
        if missing:
            return EngineHealth(False, f"{', '.join(missing)} not installed: {INSTALL}, and docs/engines.md#audio")
        return EngineHealth(True, "its libraries and models are there", {"tasks": list(MODULES)})

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        task = str(request.parameters.get("task") or "")
        if task not in MODULES:
            said = f"the engine {self.name} listens, and does no {task or 'request without a task'}"
            raise WindmillError("DEPENDENCY_MISSING", said, "name another engine for this step")
        must_be_installed(self._entry, task)
        self._must_know(task, str(request.parameters.get("language") or "en"))
        made = await self._lines.run(request, on_progress, cancelled)
        deaf = bool(request.parameters.get("sounds")) and not can_hear_phones()
        warnings = (
            [f"words are not found by their sound: {PHONE_RECOGNISER} is not installed; {INSTALL}"] if deaf else []
        )
        return EngineOutput(made.files, {"engine": self.name, "kind": self.kind}, warnings)

    async def close(self) -> None:
        await self._lines.close()

    def _must_know(self, task: str, language: str) -> None:
        if task == WORDS and not self._entry.model and not language.startswith("en"):
            said = f"the recogniser that comes with the extra audio hears English, and not {language}"
            raise WindmillError("DEPENDENCY_MISSING", said, "name a multilingual Whisper as model of the engine")


def _program(entry: AudioEntry) -> ProcessEntry:
    """The program as an engine that is a process."""
    options = {"--model": entry.model, "--voices": entry.voices, "--alike": str(entry.alike)}
    given = [part for name, value in options.items() if value for part in (name, value)]
    threads = str(entry.threads)
    environment = {
        "PYTHONPATH": str(Path(windmill.__file__).parent.parent),
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "HF_HUB_OFFLINE": "1",
    }
    command = (sys.executable, "-m", PROGRAM, *given, "--threads", threads)
    memory, seconds = entry.memory_bytes, entry.timeout_seconds
    return ProcessEntry(
        command=command, keep_alive=True, memory_bytes=memory, environment=environment, timeout_seconds=seconds
    )
