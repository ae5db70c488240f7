"""What a request comes to: its steps with their files and parameters, worked out before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from windmill.pipelines.presets.conditions import decide
from windmill.pipelines.presets.expressions import Expression, FirstOf, Known, Reference, value_of
from windmill.pipelines.presets.files_of_steps import inputs_of, main_input
from windmill.pipelines.presets.preset import Preset, PresetStep
from windmill.pipelines.presets.preset_request import PresetRequest


@dataclass(frozen=True)
class FileSource:
    """Where the files of an input come from: what the request names, or what a step makes."""

    kind: Literal["input", "step"]
    name: str


@dataclass(frozen=True)
class PlannedStep:
    """One step of a job. `parameters` has an entry for each time that it runs, and none if it is skipped."""

    name: str
    run: str
    task: str
    engines: tuple[str, ...]
    inputs: Mapping[str, FileSource]
    parameters: tuple[Mapping[str, Any], ...]
    skipped: str = ""
    """Why it does not run; empty if it does."""
    batch: "PlannedBatch | None" = None


@dataclass(frozen=True)
class PlannedBatch:
    """How many files of an input the engine gets at a time, and how many there are; None if steps make them."""

    input: str
    size: int
    count: int | None


def plan_steps(request: PresetRequest) -> tuple[PlannedStep, ...]:
    """All steps of a request in their order, skipped ones with the reason."""
    reasons = {step.name: _skip_reason(step, request.known) for step in request.preset.steps}
    return tuple(_planned(request, place, reasons) for place in range(len(request.preset.steps)))


def _skip_reason(step: PresetStep, known: Known) -> str:
    if step.when is None:
        return ""
    decision = decide(step.when, known)
    return "" if decision.met else decision.why


def _planned(request: PresetRequest, place: int, reasons: Mapping[str, str]) -> PlannedStep:
    preset, step = request.preset, request.preset.steps[place]
    engines = (step.engines or preset.engines) if step.uses_engine else ()
    if reasons[step.name]:
        return PlannedStep(step.name, step.run, step.task, engines, {}, (), reasons[step.name])
    found = {name: _source(request, one, reasons) for name, one in inputs_of(preset, place).items()}
    inputs = {name: source for name, source in found.items() if source}
    parameters, batch = _parameters(step, request.known), _batch(request, step, inputs)
    return PlannedStep(step.name, step.run, step.task, engines, inputs, parameters, batch=batch)


def _batch(request: PresetRequest, step: PresetStep, inputs: Mapping[str, FileSource]) -> PlannedBatch | None:
    """None also if the input is not given, as it then has no files to divide."""
    size = value_of(step.batch_size, request.known) if step.batch_size else None
    name = next(iter(step.inputs or {}), "")
    if size is None or name not in inputs:
        return None
    given = request.inputs.get(inputs[name].name) if inputs[name].kind == "input" else None
    return PlannedBatch(name, size, len(given) if isinstance(given, list) else 1 if given else None)


def _source(request: PresetRequest, expression: Expression | None, reasons: Mapping[str, str]) -> FileSource | None:
    """What a skipped step would have worked on takes the place of what it would have made."""
    match expression:
        case FirstOf(choices):
            return next((found for one in choices if (found := _source(request, one, reasons))), None)
        case Reference(kind="input", name=name):
            return FileSource("input", name) if request.inputs.get(name) is not None else None
        case Reference(kind="step", name=name):
            handed_on = main_input(request.preset, _place(request.preset, name)) if reasons[name] else None
            return _source(request, handed_on, reasons) if reasons[name] else FileSource("step", name)
        case _:
            return None


def _place(preset: Preset, name: str) -> int:
    return next(number for number, step in enumerate(preset.steps) if step.name == name)


def _parameters(step: PresetStep, known: Known) -> tuple[Mapping[str, Any], ...]:
    """Values that are not there are left out, so the step's own defaults hold."""
    times = value_of(step.repeat, known) if step.repeat else None
    if times is None:
        return (_values(step, known),)
    each = (Known(known.inputs, known.level, known.quality, number) for number in range(1, times + 1))
    return tuple(_values(step, one) for one in each)


def _values(step: PresetStep, known: Known) -> dict[str, Any]:
    values = {name: value_of(expression, known) for name, expression in step.parameters.items()}
    return {name: value for name, value in values.items() if value is not None}
