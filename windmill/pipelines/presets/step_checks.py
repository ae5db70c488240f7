"""Checks of one step of a preset: what it runs, the files it is given, and its parameters."""

from collections.abc import Iterator, Mapping

from windmill.kernels.text.json_readers import ABSENT, Mistake
from windmill.kernels.text.near_names import did_you_mean
from windmill.pipelines.presets.expressions import Expression, Reference, references
from windmill.pipelines.presets.files_of_steps import file_mistakes, main_input
from windmill.pipelines.presets.known_steps import KNOWN_STEPS, KnownStep
from windmill.pipelines.presets.parameter_checks import file_references, parameter_mistakes, value_mistakes
from windmill.pipelines.presets.preset import ENGINE, Preset, PresetStep
from windmill.pipelines.values import ValueSpec

MAX_REPEAT = 1_000
MAX_BATCH = 10_000
_BATCH_SIZE = ValueSpec("integer", minimum=1, maximum=MAX_BATCH, required=True)
_REPEAT = ValueSpec("integer", minimum=1, maximum=MAX_REPEAT, required=True)


def step_mistakes(preset: Preset, place: int) -> Iterator[Mistake]:
    """What is wrong with the step at this place, in a preset whose references all lead somewhere."""
    step, key = preset.steps[place], f"steps[{place}]"
    if step.repeat:
        yield from value_mistakes(preset, step.repeat, _REPEAT, f"{key}.repeat")
    if step.batch_size:
        yield from value_mistakes(preset, step.batch_size, _BATCH_SIZE, f"{key}.batch_size")
    if step.run == ENGINE:
        yield from _engine_mistakes(preset, place)
    elif step.run not in KNOWN_STEPS:
        known = [ENGINE, *KNOWN_STEPS]
        hint = did_you_mean(step.run, known)
        yield Mistake(f"{key}.run", step.run, f"is no step; {hint}there are {', '.join(known)}")
    else:
        yield from _known_step_mistakes(preset, place, KNOWN_STEPS[step.run])


def dangling_references(preset: Preset, place: int) -> Iterator[Mistake]:
    """References of the step at this place that lead nowhere."""
    step = preset.steps[place]
    for key, expression in _expressions(step, f"steps[{place}]"):
        for one in references(expression):
            if said := _nowhere(
                preset, place, one, repeated=step.repeat is not None and not key.endswith((".repeat", ".batch_size"))
            ):
                yield Mistake(key, str(one), said)


def _expressions(step: PresetStep, key: str) -> Iterator[tuple[str, Expression]]:
    groups: Mapping[str, Mapping[str, Expression]] = {"inputs": step.inputs or {}, "parameters": step.parameters}
    for group, expressions in groups.items():
        for name, expression in expressions.items():
            yield f"{key}.{group}.{name}", expression
    for name, number in (("repeat", step.repeat), ("batch_size", step.batch_size)):
        if number:
            yield f"{key}.{name}", number


def _nowhere(preset: Preset, place: int, reference: Reference, *, repeated: bool) -> str:
    """Why it leads nowhere; empty if it leads somewhere."""
    earlier = [step.name for step in preset.steps[:place]]
    known = {
        "input": ("an input", list(preset.inputs)),
        "quality": ("a value of the quality levels", sorted(preset.quality_parameters)),
        "step": ("an earlier step", earlier),
    }
    if reference.kind == "each":
        return "" if repeated else 'is known only in a step with "repeat"'
    if reference.kind == "level" or reference.name in known[reference.kind][1]:
        return ""
    what, names = known[reference.kind]
    return f"does not refer to {what}; there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'}"


def _engine_mistakes(preset: Preset, place: int) -> Iterator[Mistake]:
    step, key = preset.steps[place], f"steps[{place}]"
    if not step.task:
        yield Mistake(f"{key}.task", ABSENT, 'is missing; say what the engine is to do, such as "generate_image"')
    if not (step.engines or preset.engines):
        yield Mistake("engines", ABSENT, "is missing; name the engines that can do it, the preferred one first")
    if step.batch_size and not step.inputs:
        yield Mistake(f"{key}.batch_size", "set", 'is for files; name them under "inputs"')
    yield from file_mistakes(preset, place)
    for name, expression in step.parameters.items():
        yield from file_references(preset, expression, f"{key}.parameters.{name}")


def _known_step_mistakes(preset: Preset, place: int, known: KnownStep) -> Iterator[Mistake]:
    step, key = preset.steps[place], f"steps[{place}]"
    for name, given in (("task", step.task), ("engines", list(step.engines)), ("batch_size", step.batch_size)):
        if given and (name == "batch_size" or not known.takes_engine):
            yield Mistake(f"{key}.{name}", str(given), f'is for steps with "run": "{ENGINE}"; remove it')
    if step.task and not (step.engines or preset.engines):
        yield Mistake("engines", ABSENT, "is missing; name the engines that can do it, the preferred one first")
    if known.needs and step.inputs is None and main_input(preset, place) is None:
        said = f'is missing: nothing comes before it. Name its files: "inputs": {{"{known.main_input}": "$..."}}'
        yield Mistake(f"{key}.inputs", ABSENT, said)
    for name in known.needs if step.inputs is not None else ():
        if name not in (step.inputs or {}):
            yield Mistake(f"{key}.inputs.{name}", ABSENT, f"is missing; {known.name} needs it")
    yield from file_mistakes(preset, place)
    yield from parameter_mistakes(preset, step, known, key)
