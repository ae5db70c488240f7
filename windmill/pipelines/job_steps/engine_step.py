"""The step that an engine does."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, EngineResult, EngineWaits, JsonValue, OnProgress
from windmill.jobs.step import (
    InputFiles,
    JobView,
    RunningTask,
    ShardInput,
    StepInputs,
    StepLimits,
    Suspended,
    TaskResult,
)
from windmill.jobs.step_state import StepBreaker
from windmill.pipelines.job_steps.engine_choice import use_preferred
from windmill.pipelines.job_steps.planned_runs import parameters_of_run, plan_runs
from windmill.pipelines.presets.preset import ENGINE
from windmill.storage.jobs.rows import Document

LIMITS = StepLimits(concurrency=4, timeout_seconds=604_800)
"""The entry of an engine says how many requests it takes at once, and how long each may take."""


class RunsEngines(Protocol):
    """Has an engine do a piece of work."""

    @property
    def breaker(self) -> StepBreaker: ...

    def version_of(self, name: str) -> str:
        """As long as it stays, the engine makes equal things of equal requests; empty if nobody says so."""
        ...

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineResult: ...


@dataclass(frozen=True)
class EngineChoice:
    """Which engines may do the task. One that is resumed goes on with the engine that has begun it, and its state."""

    engines: Sequence[str]
    passed_over: Sequence[str] = ()
    state: Document | None = None

    @staticmethod
    def of(task: RunningTask) -> "EngineChoice":
        engines, kept = list(task.parameters["engines"]), task.resumed
        if kept is None:
            return EngineChoice(engines)
        return EngineChoice(engines[engines.index(kept["engine"]) :], kept["passed_over"], kept["state"])

    def state_of(self, engine: str) -> Document | None:
        return self.state if engine == self.engines[0] else None


@dataclass(frozen=True)
class EngineStep:
    """Runs the preferred engine, or the next one that can."""

    engines: RunsEngines
    limits: StepLimits = LIMITS
    name: str = ENGINE
    version: int = 1
    deterministic: bool = False
    streams: bool = False

    @property
    def breaker(self) -> StepBreaker:
        """Open while an engine is away."""
        return self.engines.breaker

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult | Suspended:
        parameters = {"task": task.parameters["task"], **parameters_of_run(task)}
        answer = await ask_engines(self.engines, task, name_each(task.files), parameters)
        return answer if isinstance(answer, Suspended) else _result(answer)


@dataclass(frozen=True)
class EngineAnswer:
    """What an engine has made, and instead of whom."""

    engine: str
    output: EngineOutput
    passed_over: Sequence[str]

    @property
    def warnings(self) -> list[str]:
        return _warnings(self.engine, self.output, self.passed_over)


async def ask_engines(
    engines: RunsEngines, task: RunningTask, inputs: Mapping[str, Path], parameters: Mapping[str, JsonValue]
) -> EngineAnswer | Suspended:
    """Have the engines of a task do it, the preferred one or the next that can; the task goes on where it was when it
    comes again."""
    choice, group = EngineChoice.of(task), f"job-{task.job.public_id}"

    async def use(engine: str) -> EngineResult:
        scratch, resumed = task.scratch / engine, choice.state_of(engine)
        request = EngineRequest(task.name, inputs, parameters, scratch, None, task.key, group, resumed)
        return await engines.run(engine, request, task.progress, task.cancelled)

    chosen = await use_preferred(choice.engines, use)
    passed_over = [*choice.passed_over, *map(str, chosen.passed_over)]
    if isinstance(chosen.output, EngineWaits):
        has_others = chosen.engine != choice.engines[-1]
        return _suspended(chosen.engine, chosen.output, passed_over, needs_files=has_others)
    return EngineAnswer(chosen.engine, chosen.output, passed_over)


def name_each(files: InputFiles) -> Mapping[str, Path]:
    """One file under each name, as engines take them: further files of an input `face` are `face_2`, `face_3`."""
    named: dict[str, Path] = {}
    for name, paths in files.items():
        for number, path in enumerate(paths, 1):
            unique = name if number == 1 else f"{name}_{number}"
            if unique in named:
                raise WindmillError("USAGE", f"two files of the step have the name {unique}; rename an input of it")
            named[unique] = path
    return named


def _suspended(engine: str, waits: EngineWaits, passed_over: Sequence[str], *, needs_files: bool) -> Suspended:
    """Another engine that may have to take over needs the files."""
    state = {"engine": engine, "state": dict(waits.state), "passed_over": list(passed_over)}
    return Suspended(state, waits.seconds, waits.done, needs_files)


def _result(answer: EngineAnswer) -> TaskResult:
    made, passed_over = answer.output, list(answer.passed_over)
    output: dict[str, object] = {"engine": answer.engine, "facts": dict(made.facts), "passed_over": passed_over}
    output["files"] = len(made.files)
    return TaskResult(output, made.files, warnings=answer.warnings)


def _warnings(engine: str, made: EngineOutput, passed_over: Sequence[str]) -> list[str]:
    """What somebody must know who takes the result for that of the preferred engine."""
    warnings = [f"{engine} was used instead of {one}" for one in passed_over]
    if made.facts.get("simulated"):
        warnings.append(f"{engine}: {made.facts.get('says')}")
    ignored = made.facts.get("ignored")
    if isinstance(ignored, list) and ignored:
        warnings.append(f"{engine} has no use for {', '.join(map(str, ignored))}")
    return [*warnings, *(f"{engine}: {one}" for one in made.warnings)]
