"""Whether what a preset hands to a parameter can always be read by the step."""

from collections.abc import Iterator
from dataclasses import replace

from windmill.kernels.text.json_readers import ABSENT, DocumentInvalid, Mistake, unknown_keys
from windmill.pipelines.presets.expressions import Expression, Filled, FirstOf, Literally, Reference, references
from windmill.pipelines.presets.known_steps import KnownStep
from windmill.pipelines.presets.preset import Preset, PresetStep
from windmill.pipelines.values import ValueSpec, allowed_values, reader_of

_ALSO_FITS = {("integer", "number"), ("integer", "seed"), ("choice", "text"), ("job", "text")}
"""Types of inputs that can be handed to a parameter of another type."""


def parameter_mistakes(preset: Preset, step: PresetStep, known: KnownStep, key: str) -> Iterator[Mistake]:
    """What is wrong with the parameters of a step that says what it takes."""
    yield from unknown_keys(dict(step.parameters), f"{key}.parameters.", known.parameters)
    for name, spec in known.parameters.items():
        if name in step.parameters:
            yield from value_mistakes(preset, step.parameters[name], spec, f"{key}.parameters.{name}")
        elif spec.required:
            yield Mistake(f"{key}.parameters.{name}", ABSENT, f"is missing; {known.name} needs {spec.description}")


def value_mistakes(preset: Preset, expression: Expression, spec: ValueSpec, key: str) -> Iterator[Mistake]:
    """Every value that the expression can have and that the parameter cannot."""
    match expression:
        case Literally(value):
            yield from _misread(spec, value, key)
        case FirstOf(choices):
            for choice in choices[:-1]:
                yield from value_mistakes(preset, choice, replace(spec, required=False), key)
            yield from value_mistakes(preset, choices[-1], spec, key)
        case Filled(template, values):
            yield from value_mistakes(preset, template, ValueSpec("text"), key)
            yield from (one for value in values.values() for one in file_references(preset, value, key))
            if spec.type != "text":
                yield Mistake(key, "filled text", allowed_values(spec))
        case Reference():
            yield from _reference_mistakes(preset, expression, spec, key)


def file_references(preset: Preset, expression: Expression, key: str) -> Iterator[Mistake]:
    """Files where only values can be."""
    for one in references(expression):
        if one.kind == "step" or (one.kind == "input" and preset.inputs[one.name].is_file):
            yield Mistake(key, str(one), 'is a file; name it under "inputs" of the step')


def _reference_mistakes(preset: Preset, reference: Reference, spec: ValueSpec, key: str) -> Iterator[Mistake]:
    match reference.kind:
        case "quality":
            for level, values in preset.quality_levels.items():
                where = f"quality_levels.{level}.{reference.name}"
                yield from _misread(spec, values[reference.name], where) if reference.name in values else ()
        case "level":
            for level in preset.quality_levels:
                yield from _misread(spec, level, key)
        case "each":
            yield from (
                () if spec.type in ("integer", "number", "seed") else (Mistake(key, "$each", allowed_values(spec)),)
            )
        case "step":
            yield Mistake(key, str(reference), 'is a file; name it under "inputs" of the step')
        case "input":
            yield from _input_mistakes(preset.inputs[reference.name], reference, spec, key)


def _input_mistakes(given: ValueSpec, reference: Reference, spec: ValueSpec, key: str) -> Iterator[Mistake]:
    if given.is_file:
        yield Mistake(key, str(reference), 'is a file; name it under "inputs" of the step')
    elif given.type != spec.type and (given.type, spec.type) not in _ALSO_FITS:
        yield Mistake(key, str(reference), f"is {given.type}, and the parameter {allowed_values(spec)}")
    elif not _within(given, spec):
        said = f"can be more than the parameter takes, which {allowed_values(spec)}; narrow inputs.{reference.name}"
        yield Mistake(key, str(reference), said)
    elif given.may_be_absent and spec.required:
        yield Mistake(
            key, str(reference), f"may be absent; make inputs.{reference.name} required, or give it a default"
        )


def _within(given: ValueSpec, spec: ValueSpec) -> bool:
    """Whether every value of the input is one of the parameter."""
    if spec.type == "choice":
        return set(given.choices) <= set(spec.choices)
    if spec.type == "text":
        return given.max_length <= spec.max_length or given.type != "text"
    low = spec.minimum is None or (given.minimum is not None and given.minimum >= spec.minimum)
    high = spec.maximum is None or (given.maximum is not None and given.maximum <= spec.maximum)
    return low and high


def _misread(spec: ValueSpec, value: object, key: str) -> Iterator[Mistake]:
    try:
        reader_of(spec)(value, key)
    except DocumentInvalid as error:
        yield from error.mistakes
