"""The job of a request: the steps of its plan, written down for workers."""

from collections.abc import Mapping, Sequence
from typing import Any

from windmill.core.errors import WindmillError
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import NewJob, NewStep
from windmill.pipelines.presets.known_steps import KNOWN_STEPS
from windmill.pipelines.presets.planned_steps import FileSource, PlannedStep, plan_steps
from windmill.pipelines.presets.preset_request import PresetRequest


def job_of_request(request: PresetRequest, catalog: StepCatalog, engines: Sequence[str] = ()) -> NewJob:
    """The steps in their order, skipped ones with the reason. `engines` takes the place of those of the preset."""
    plan, versions = plan_steps(request), {step.name: step.version for step in catalog}
    places = {step.name: place for place, step in enumerate(plan)}
    preset = request.preset
    return NewJob(
        kind=preset.id,
        steps=[_new_step(step, versions, places, engines) for step in plan],
        inputs=request.inputs,
        parameters={"quality": request.quality, "engines": list(engines)},
        preset=preset.id,
        preset_version=preset.version,
    )


def _new_step(
    step: PlannedStep, versions: Mapping[str, int], places: Mapping[str, int], engines: Sequence[str]
) -> NewStep:
    if step.run not in versions:
        said = f"the step {step.name} runs {step.run}, which no worker of this version can do"
        raise WindmillError("DEPENDENCY_MISSING", said, "choose another preset")
    return NewStep(
        step.run,
        versions[step.run],
        parameters=_parameters(step, places, engines),
        weight=len(step.parameters or [None]) * (KNOWN_STEPS[step.run].weight if step.run in KNOWN_STEPS else 1.0),
        skip_reason=step.skipped or None,
    )


def _parameters(step: PlannedStep, places: Mapping[str, int], engines: Sequence[str]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": step.name,
        "files": {name: _place(source, places) for name, source in step.inputs.items()},
        "each": list(step.parameters),
    }
    if step.task:
        written |= {"task": step.task, "engines": list(engines or step.engines)}
    return written


def _place(source: FileSource, places: Mapping[str, int]) -> dict[str, Any]:
    """As windmill.jobs.task_files reads it."""
    return {"input": source.name} if source.kind == "input" else {"step": places[source.name]}
