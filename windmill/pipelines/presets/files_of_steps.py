"""Which files a step gets, and of which types: of an input, of an earlier step, or of what a skipped step would have
worked on. A step that is skipped hands on what it was given, so the steps after it need no condition of their own."""

from collections.abc import Iterator

from windmill.kernels.text.json_readers import Mistake
from windmill.pipelines.presets.conditions import comparisons
from windmill.pipelines.presets.expressions import Expression, FirstOf, Reference
from windmill.pipelines.presets.known_steps import KNOWN_STEPS
from windmill.pipelines.presets.preset import ENGINE, Preset, PresetStep
from windmill.pipelines.values import FileType

_ALSO_FIT = {("image", "images"), ("image", "footage"), ("video", "footage")}
ENGINE_INPUT = "picture"
"""The input of an engine's step that is handed on when the step is skipped."""


def main_input(preset: Preset, place: int) -> Expression | None:
    """What the step works on: as the preset says, or else what the step before made."""
    step = preset.steps[place]
    if step.inputs is not None:
        return step.inputs.get(_main_name(step))
    if step.run == ENGINE or not place or not _main_name(step):
        return None
    return Reference("step", preset.steps[place - 1].name)


def inputs_of(preset: Preset, place: int) -> dict[str, Expression]:
    """All files that the step is given, by their names in the step."""
    step = preset.steps[place]
    if step.inputs is not None:
        return dict(step.inputs)
    main = main_input(preset, place)
    return {_main_name(step): main} if main else {}


def _main_name(step: PresetStep) -> str:
    if step.run == ENGINE:
        return ENGINE_INPUT
    return (KNOWN_STEPS[step.run].main_input if step.run in KNOWN_STEPS else None) or ""


def file_mistakes(preset: Preset, place: int) -> Iterator[Mistake]:
    """Inputs that are no files, are of another type, or may not be there."""
    step = preset.steps[place]
    wanted = KNOWN_STEPS[step.run].inputs if step.run in KNOWN_STEPS else None
    for name, expression in inputs_of(preset, place).items():
        key = f"steps[{place}].inputs.{name}"
        if wanted is not None and name not in wanted:
            said = f"is no input of {step.run}; it has {', '.join(wanted) or 'none'}"
            yield Mistake(key, _written(expression), said)
            continue
        for source in _sources(expression):
            yield from _source_mistakes(preset, place, source, wanted[name] if wanted else None, key)


def _source_mistakes(
    preset: Preset, place: int, source: Expression, wanted: FileType | None, key: str
) -> Iterator[Mistake]:
    if not isinstance(source, Reference) or source.kind not in ("input", "step"):
        yield Mistake(key, _written(source), 'must be files: an input such as "$photo", or "$steps.NAME"')
    elif source.kind == "input":
        yield from _input_mistakes(preset, place, source, wanted, key)
    else:
        yield from _step_mistakes(preset, place, source, wanted, key)


def _input_mistakes(
    preset: Preset, place: int, source: Reference, wanted: FileType | None, key: str
) -> Iterator[Mistake]:
    spec = preset.inputs[source.name]
    if not spec.is_file:
        yield Mistake(key, str(source), f"is {spec.type}, not a file; name it under parameters")
    elif wanted and not _fits(spec.type, wanted):
        yield Mistake(key, str(source), f"is of type {spec.type}, and the step takes {wanted}")
    elif wanted and spec.may_be_absent and not _runs_only_with(preset.steps[place], source):
        said = f'may be absent; make inputs.{source.name} required, or give the step "when": {{"value": "{source}", '
        yield Mistake(key, str(source), said + '"given": true}')


def _runs_only_with(step: PresetStep, source: Reference) -> bool:
    """Whether its condition speaks of the input being given."""
    return step.when is not None and any(one.value == source and one.test == "given" for one in comparisons(step.when))


def _step_mistakes(
    preset: Preset, place: int, source: Reference, wanted: FileType | None, key: str
) -> Iterator[Mistake]:
    earlier = next(number for number, step in enumerate(preset.steps) if step.name == source.name)
    step = preset.steps[earlier]
    types = _types(preset, earlier)
    if not types:
        yield Mistake(key, str(source), f"makes no files ({step.run})")
    for one in types if wanted else ():
        if one and wanted and not _fits(one, wanted):
            yield Mistake(key, str(source), f"makes {one}, and the step takes {wanted}")
    if step.when and main_input(preset, earlier) is None and preset.steps[place].when != step.when:
        said = f'may be skipped, and then hands on nothing; give this step the same "when", or {step.name} an input'
        yield Mistake(key, str(source), f"{said} {_main_name(step)!r} to hand on")


def _types(preset: Preset, place: int) -> list[FileType | None]:
    """What a step may hand on: what it makes and, if it may be skipped, what it was given. None: an engine decides."""
    step = preset.steps[place]
    made = None if step.run == ENGINE else KNOWN_STEPS[step.run].produces if step.run in KNOWN_STEPS else None
    if step.run != ENGINE and step.run in KNOWN_STEPS and made is None:
        return []
    own: list[FileType | None] = ["images" if step.repeat else made]
    given = main_input(preset, place) if step.when else None
    return own + [one for source in _sources(given) for one in _types_of_source(preset, source)] if given else own


def _types_of_source(preset: Preset, source: Expression) -> list[FileType | None]:
    if not isinstance(source, Reference):
        return []
    if source.kind == "step":
        places = [number for number, step in enumerate(preset.steps) if step.name == source.name]
        return _types(preset, places[0]) if places else []
    spec = preset.inputs.get(source.name)
    return [spec.type] if spec and spec.is_file else []  # type: ignore[list-item]  # is_file says so


def _fits(given: str, wanted: FileType) -> bool:
    return given == wanted or (given, wanted) in _ALSO_FIT


def _sources(expression: Expression | None) -> tuple[Expression, ...]:
    if isinstance(expression, FirstOf):
        return tuple(one for choice in expression.choices for one in _sources(choice))
    return (expression,) if expression else ()


def _written(expression: Expression) -> str:
    return str(expression) if isinstance(expression, Reference) else str(getattr(expression, "value", "an object"))
