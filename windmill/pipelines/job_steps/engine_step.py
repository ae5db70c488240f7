"""The step that an engine does."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, OnProgress
from windmill.jobs.step import InputFiles, JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.pipelines.job_steps.engine_choice import Chosen, use_preferred
from windmill.pipelines.job_steps.planned_runs import parameters_of_run, plan_runs
from windmill.pipelines.presets.preset import ENGINE

LIMITS = StepLimits(concurrency=4, timeout_seconds=604_800)
"""The entry of an engine says how many requests it takes at once, and how long each may take."""


class RunsEngines(Protocol):
    """Has an engine do a piece of work."""

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineOutput: ...


@dataclass(frozen=True)
class EngineStep:
    """Runs the preferred engine, or the next one that can."""

    engines: RunsEngines
    limits: StepLimits = LIMITS
    name: str = ENGINE
    version: int = 1
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult:
        inputs = name_each(task.files)
        parameters = {"task": task.parameters["task"], **parameters_of_run(task)}

        async def use(engine: str) -> EngineOutput:
            request = EngineRequest(task.name, inputs, parameters, task.scratch / engine)
            return await self.engines.run(engine, request, task.progress, task.cancelled)

        return _result(await use_preferred(task.parameters["engines"], use))


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


def _result(chosen: Chosen) -> TaskResult:
    passed_over = [str(one) for one in chosen.passed_over]
    output: dict[str, object] = {
        "engine": chosen.engine,
        "facts": dict(chosen.output.facts),
        "passed_over": passed_over,
    }
    output["files"] = len(chosen.output.files)
    return TaskResult(output, chosen.output.files, warnings=_warnings(chosen, passed_over))


def _warnings(chosen: Chosen, passed_over: Sequence[str]) -> list[str]:
    """What somebody must know who takes the result for that of the preferred engine."""
    warnings = [f"{chosen.engine} was used instead of {one}" for one in passed_over]
    if chosen.output.facts.get("simulated"):
        warnings.append(f"{chosen.engine}: {chosen.output.facts.get('says')}")
    ignored = chosen.output.facts.get("ignored")
    if isinstance(ignored, list) and ignored:
        warnings.append(f"{chosen.engine} has no use for {', '.join(map(str, ignored))}")
    return warnings
