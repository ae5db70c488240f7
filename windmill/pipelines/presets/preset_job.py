"""The job of a request: the steps of its plan, written down for workers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from windmill.core.errors import WindmillError
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import NewJob, NewStep
from windmill.pipelines.presets.known_steps import KNOWN_STEPS, RERUN_JOB
from windmill.pipelines.presets.planned_steps import FileSource, PlannedStep, plan_steps
from windmill.pipelines.presets.preset_request import PresetRequest


@dataclass(frozen=True)
class Rerun:
    """What a step `rerun_job` stands for: the request of another job, by its engines but for some."""

    request: PresetRequest
    engines: Sequence[str] = ()
    without: frozenset[str] = frozenset()


def job_of_request(
    request: PresetRequest,
    catalog: StepCatalog,
    engines: Sequence[str] = (),
    reruns: Mapping[str, Rerun] | None = None,
) -> NewJob:
    """The steps in their order, skipped ones with the reason. `engines` takes the place of those of the preset;
    `reruns` has the other job for each step that runs one again."""
    plan = [part for step in plan_steps(request) for part in _parts(step, engines, reruns or {})]
    _must_be_countable(plan)
    places = {step.name: place for place, step in enumerate(plan)}
    preset = request.preset
    return NewJob(
        kind=preset.id,
        steps=[_new_step(step, catalog.versions, places) for step in plan],
        inputs=request.inputs,
        parameters={"quality": request.quality, "engines": list(engines)},
        preset=preset.id,
        preset_version=preset.version,
    )


def _must_be_countable(plan: Sequence[PlannedStep]) -> None:
    """Files are divided when a step is planned, which knows only how many the step before has made."""
    running = [step for step in plan if not step.skipped]
    for before, step in pairwise(running):
        if step.batch and step.batch.count is None and step.inputs[step.batch.input].name != before.name:
            said = f"the step {step.name} has a batch_size, but {step.batch.input} is not made by the step before it"
            raise WindmillError("USAGE", said, "give it those files, or remove batch_size")


def _parts(step: PlannedStep, engines: Sequence[str], reruns: Mapping[str, Rerun]) -> Iterator[PlannedStep]:
    """The step itself, or in place of one that runs another job again the steps of that job."""
    if step.run != RERUN_JOB.name or step.name not in reruns:
        yield replace(step, engines=tuple(engines)) if engines else step
        return
    again = reruns[step.name]
    for part in plan_steps(again.request):
        named = {name: inside(step.name, source) for name, source in part.inputs.items()}
        chosen = tuple(engines or _left(part, again))
        yield replace(part, name=f"{step.name}.{part.name}", inputs=named, engines=chosen)


def inside(step: str, source: FileSource) -> FileSource:
    """Inputs and steps of another job have names of their own: `again.photo`."""
    return FileSource(source.kind, f"{step}.{source.name}")


def _left(part: PlannedStep, again: Rerun) -> list[str]:
    """The engines that have not failed; raises DEPENDENCY_MISSING if there is none."""
    if not part.task or part.skipped:
        return []
    before = again.engines or part.engines
    left = [name for name in before if name not in again.without]
    if not left:
        said = (
            f"the step {part.name} failed with {', '.join(sorted(again.without))}, and no other engine is named for it"
        )
        raise WindmillError("DEPENDENCY_MISSING", said, "name another one in `engines` of the request (--engine NAME)")
    return left


def _new_step(step: PlannedStep, versions: Mapping[str, int], places: Mapping[str, int]) -> NewStep:
    if step.run not in versions and not step.skipped:
        said = f"the step {step.name} runs {step.run}, which no worker of this version can do"
        raise WindmillError("DEPENDENCY_MISSING", said, "choose another preset")
    return NewStep(
        step.run,
        versions.get(step.run, 1),
        parameters=_parameters(step, places),
        weight=len(step.parameters or [None]) * (KNOWN_STEPS[step.run].weight if step.run in KNOWN_STEPS else 1.0),
        skip_reason=step.skipped or None,
    )


def _parameters(step: PlannedStep, places: Mapping[str, int]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": step.name,
        "files": {name: _place(source, places) for name, source in step.inputs.items()},
        "each": list(step.parameters),
    }
    if step.batch:
        written["batch"] = {name: value for name, value in asdict(step.batch).items() if value is not None}
    if step.task:
        written |= {"task": step.task, "engines": list(step.engines)}
    return written


def _place(source: FileSource, places: Mapping[str, int]) -> dict[str, Any]:
    """As windmill.jobs.task_files reads it."""
    return {"input": source.name} if source.kind == "input" else {"step": places[source.name]}
