"""How the parts of a preset go together: every reference leads somewhere, every value fits, and nothing is there in
vain. What a user writes into a field that no step reads would be ignored without a word, so that is a mistake too."""

from collections.abc import Iterator

from windmill.kernels.text.json_readers import ABSENT, DocumentInvalid, Mistake, Reader
from windmill.pipelines.presets.conditions import Comparison, Condition, comparisons
from windmill.pipelines.presets.expressions import RESERVED_NAMES, Expression, Reference, references
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.step_checks import dangling_references, step_mistakes
from windmill.pipelines.values import ValueSpec, reader_of

MAX_STEPS = 50


def mistakes_of(preset: Preset) -> list[Mistake]:
    """Every mistake once, in the order of the document."""
    found = [
        *(mistake for name, spec in preset.inputs.items() for mistake in _input_mistakes(name, spec)),
        *_level_mistakes(preset),
        *_step_list_mistakes(preset),
        *_mistakes_of_steps(preset),
        *(mistake for key, condition in _conditions(preset) for mistake in _condition_mistakes(preset, condition, key)),
    ]
    return list({(one.key, one.message): one for one in found or _unused(preset)}.values())


def _input_mistakes(name: str, spec: ValueSpec) -> Iterator[Mistake]:
    key = f"inputs.{name}"
    if name in RESERVED_NAMES:
        yield Mistake(key, name, f"is a reserved name; {', '.join(sorted(RESERVED_NAMES))} cannot be inputs")
    if spec.type == "choice" and not spec.choices:
        yield Mistake(f"{key}.choices", ABSENT, "is missing; name the texts that can be chosen")
    if spec.required and spec.default is not None:
        yield Mistake(f"{key}.default", spec.default, "is never used, as the input is required; remove one of them")
    for low, high in (("minimum", "maximum"), ("min_length", "max_length"), ("min_items", "max_items")):
        least, most = getattr(spec, low), getattr(spec, high)
        if least is not None and most is not None and least > most:
            yield Mistake(f"{key}.{low}", least, f"must be at most {high}, which is {most:g}")
    if spec.default is not None:
        yield from _misread(reader_of(spec), spec.default, f"{key}.default")
    for place, example in enumerate(spec.examples):
        yield from _misread(reader_of(spec), example, f"{key}.examples[{place}]")


def _misread(reader: Reader[object], value: object, key: str) -> Iterator[Mistake]:
    try:
        reader(value, key)
    except DocumentInvalid as error:
        yield from error.mistakes


def _level_mistakes(preset: Preset) -> Iterator[Mistake]:
    levels = preset.quality_levels
    known = ", ".join(levels)
    if not levels:
        yield Mistake("quality_levels", {}, 'must have a level at least, such as "standard"; or leave it out')
    for level, values in levels.items():
        for name in sorted(preset.quality_parameters - values.keys()):
            yield Mistake(f"quality_levels.{level}.{name}", ABSENT, "is missing; other levels have a value for it")
    if preset.default_quality and preset.default_quality not in levels:
        yield Mistake("default_quality", preset.default_quality, f"must be one of {known}")
    for level in sorted(preset.estimated_seconds.keys() - levels.keys()):
        yield Mistake(f"estimated_seconds.{level}", preset.estimated_seconds[level], f"is no level; they are {known}")


def _mistakes_of_steps(preset: Preset) -> list[Mistake]:
    """References that lead nowhere come first: what follows from them is found when they are right."""
    places = range(len(preset.steps))
    dangling = [mistake for place in places for mistake in dangling_references(preset, place)]
    return dangling or [mistake for place in places for mistake in step_mistakes(preset, place)]


def _step_list_mistakes(preset: Preset) -> Iterator[Mistake]:
    if not 1 <= len(preset.steps) <= MAX_STEPS:
        yield Mistake("steps", len(preset.steps), f"must be 1 to {MAX_STEPS} steps")
    names = [step.name for step in preset.steps]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Mistake(f"steps[{place}].name", name, "is the name of an earlier step; each needs its own")
    if preset.engines and not preset.uses_engines:
        yield Mistake("engines", list(preset.engines), 'are used by no step; give one "run": "engine", or remove them')


def _conditions(preset: Preset) -> Iterator[tuple[str, Condition]]:
    for place, step in enumerate(preset.steps):
        if step.when:
            yield f"steps[{place}].when", step.when
    if preset.consent and preset.consent.when:
        yield "consent.when", preset.consent.when


def _condition_mistakes(preset: Preset, condition: Condition, key: str) -> Iterator[Mistake]:
    for one in comparisons(condition):
        yield from _comparison_mistakes(preset, one, key)


def _comparison_mistakes(preset: Preset, one: Comparison, key: str) -> Iterator[Mistake]:
    name = one.value.name
    if one.value.kind == "input" and name not in preset.inputs:
        yield Mistake(key, str(one.value), f"refers to no input; they are {', '.join(preset.inputs)}")
    elif one.value.kind == "quality" and name not in preset.quality_parameters:
        known = ", ".join(sorted(preset.quality_parameters)) or "none"
        yield Mistake(key, str(one.value), f"refers to no value of the quality levels; they are {known}")
    else:
        yield from _operand_mistakes(preset, one, key)


def _operand_mistakes(preset: Preset, one: Comparison, key: str) -> Iterator[Mistake]:
    """A value that can never be would make a step run never or always."""
    if one.test in ("at_least", "at_most") and not _is_numeric(preset, one.value):
        yield Mistake(f"{key}.{one.test}", one.operand, f"compares numbers, and {one.value} is none")
    possible = _possible_values(preset, one.value)
    operands = one.operand if one.test == "in" else (one.operand,) if one.test == "equals" else ()
    for operand in operands:
        if possible is not None and operand not in possible:
            said = f"{one.value} is never that; it can be {', '.join(map(str, possible))}"
            yield Mistake(f"{key}.{one.test}", operand, said)


def _is_numeric(preset: Preset, reference: Reference) -> bool:
    """Whether it is always a number, or not there."""
    if reference.kind == "input":
        return preset.inputs[reference.name].type in ("integer", "number", "seed")
    values = _possible_values(preset, reference) or ()
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _possible_values(preset: Preset, reference: Reference) -> list[object] | None:
    """All values that it can have, or None for any number of them."""
    if reference.kind == "level":
        return list(preset.quality_levels)
    if reference.kind == "quality":
        return [level.get(reference.name) for level in preset.quality_levels.values()]
    spec = preset.inputs[reference.name]
    if spec.type == "choice":
        return list(spec.choices)
    return [True, False] if spec.type == "boolean" else None


def _unused(preset: Preset) -> Iterator[Mistake]:
    used = {(one.kind, one.name) for one in _all_references(preset)}
    for name, spec in preset.inputs.items():
        if ("input", name) not in used:
            said = f'is used by no step; refer to it as "${name}", or remove it'
            yield Mistake(f"inputs.{name}", spec.type, said)
    for name in sorted(preset.quality_parameters):
        if ("quality", name) not in used:
            level, values = next(iter(preset.quality_levels.items()))
            said = f'is used by no step; refer to it as "$quality.{name}", or remove it'
            yield Mistake(f"quality_levels.{level}.{name}", values.get(name), said)


def _all_references(preset: Preset) -> Iterator[Reference]:
    for step in preset.steps:
        expressions: list[Expression] = [*(step.inputs or {}).values(), *step.parameters.values()]
        for expression in [*expressions, *(one for one in (step.repeat, step.batch_size) if one)]:
            yield from references(expression)
    for _, condition in _conditions(preset):
        yield from (one.value for one in comparisons(condition))
