"""Presets as people and programs read them: the list, one in full, and the outcome of a check."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from windmill.core.errors import Problem
from windmill.operate.preset_times import PresetTimes, TimesOfLevels
from windmill.pipelines.presets.conditions import AllOf, Comparison, Condition, Not
from windmill.pipelines.presets.preset import Preset, PresetStep
from windmill.pipelines.presets.preset_library import FoundPreset, PresetLibrary
from windmill.pipelines.presets.preset_request import request_schema
from windmill.pipelines.presets.unavailable_presets import UNAVAILABLE, UnavailablePreset
from windmill.pipelines.values import ValueSpec, allowed_values


def select_presets(library: PresetLibrary, category: str | None, engine: str | None) -> list[FoundPreset]:
    """Those of a category, and those that can use an engine; None is any."""
    return [
        one
        for one in library.found.values()
        if category in (None, one.preset.category) and (engine is None or engine in engines_of(one.preset))
    ]


def select_unavailable(library: PresetLibrary, category: str | None) -> list[UnavailablePreset]:
    """Those that are not shipped, unless the user has one of that name."""
    return [one for one in UNAVAILABLE if one.id not in library.found and category in (None, one.category)]


def engines_of(preset: Preset) -> list[str]:
    """All engines that it names, in order of preference."""
    return list(dict.fromkeys([*preset.engines, *(name for step in preset.steps for name in step.engines)]))


def missing_engines(preset: Preset, configured: Collection[str]) -> list[str]:
    """What has to be configured before all of its steps can run: of the engines of a step, one at least."""
    steps = (step for step in preset.steps if step.task)
    choices = dict.fromkeys(step.engines or preset.engines for step in steps)
    return [f"an engine named {' or '.join(names)}" for names in choices if not set(names) & set(configured)]


def render_presets_table(
    presets: Sequence[FoundPreset], unavailable: Sequence[UnavailablePreset], configured: Collection[str] | None = None
) -> str:
    """With the names of the engines that are `configured`, also what is missing for each preset."""
    rows: list[tuple[object, ...]] = [_preset_row(one, configured) for one in presets]
    rows += [(one.id, None, one.category, None, f"missing: {one.missing}") for one in unavailable]
    return _aligned([("preset", "version", "category", "engines", "from"), *rows])


def _preset_row(one: FoundPreset, configured: Collection[str] | None) -> tuple[object, ...]:
    missing = missing_engines(one.preset, configured) if configured is not None else []
    told = f"{one.origin}; missing: {', '.join(missing)}" if missing else one.origin
    engines = ", ".join(engines_of(one.preset)) or None
    return (one.preset.id, one.preset.version, one.preset.category, engines, told)


def render_presets_json(
    presets: Sequence[FoundPreset],
    unavailable: Sequence[UnavailablePreset],
    problems: Sequence[Problem],
    configured: Collection[str],
    times: PresetTimes,
) -> dict[str, Any]:
    return {
        "presets": [
            {
                "origin": one.origin,
                "missing": missing_engines(one.preset, configured),
                **preset_document(one.preset, times.get(one.preset.id, {})),
            }
            for one in presets
        ],
        "unavailable": [{"id": one.id, "category": one.category, "missing": one.missing} for one in unavailable],
        "problems": render_problems(problems),
    }


def render_problems(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Each with the file, the place in it, the value and what to do."""
    return [
        {"file": file, "path": path, "value": problem.value, "message": problem.allowed}
        for problem in problems
        for file, _, path in [problem.name.partition(": ")]
    ]


def preset_document(preset: Preset, times: TimesOfLevels) -> dict[str, Any]:
    """What a program needs to know to offer it: without how its steps are wired. `estimated_time_seconds` is measured
    for the levels in `measured_jobs`, and else what the preset says."""
    return {
        "id": preset.id,
        "version": preset.version,
        "name": preset.name,
        "description": preset.description,
        "category": preset.category,
        "engines": engines_of(preset),
        "requirements": list(preset.requirements),
        "quality_levels": {level: dict(values) for level, values in preset.quality_levels.items()},
        "default_quality": preset.usual_quality,
        "estimated_seconds": dict(preset.estimated_seconds),
        "estimated_time_seconds": {**preset.estimated_seconds, **{level: one.seconds for level, one in times.items()}},
        "measured_jobs": {level: one.jobs for level, one in times.items()},
        "inputs_schema": request_schema(preset),
        "steps": [_step_document(step) for step in preset.steps],
        "consent": _consent_document(preset),
        "safety_notes": list(preset.safety_notes),
        "failure_modes": dict(preset.failure_modes),
    }


def _step_document(step: PresetStep) -> dict[str, Any]:
    return {
        "name": step.name,
        "run": step.task or step.run,
        "by": "engine" if step.uses_engine else "windmill",
        "description": step.description,
        "condition": render_condition(step.when) if step.when else None,
    }


def _consent_document(preset: Preset) -> dict[str, Any] | None:
    if preset.consent is None:
        return None
    when = preset.consent.when
    return {"text": preset.consent.text, "condition": render_condition(when) if when else None}


def render_condition(condition: Condition) -> str:
    """A condition in words."""
    match condition:
        case Comparison(value, "given", operand):
            return f"{value} is given" if operand else f"{value} is not given"
        case Comparison(value, "in", operand):
            return f"{value} is one of {', '.join(map(str, operand))}"
        case Comparison(value, test, operand):
            return f"{value} {_TESTS[test]} {str(operand).lower() if isinstance(operand, bool) else operand}"
        case Not(part):
            return f"not ({render_condition(part)})"
        case AllOf(parts, any_of):
            return (" or " if any_of else " and ").join(f"({render_condition(part)})" for part in parts)


_TESTS: Mapping[str, str] = {"equals": "is", "at_least": "is at least", "at_most": "is at most"}


def render_preset_text(found: FoundPreset, times: TimesOfLevels) -> str:
    """One preset in full."""
    preset = found.preset
    parts = [
        f"{preset.id}, version {preset.version} ({found.origin}: {found.path})\n{preset.name}. {preset.description}\n",
        f"category  {preset.category}\nengines   {', '.join(engines_of(preset)) or 'none needed'}\n",
        _section("needs", preset.requirements),
        "\ninputs\n" + _aligned([_input_row(*one) for one in preset.inputs.items()], "  "),
        "\nquality levels\n" + _render_levels(preset, times),
        "\nsteps\n" + _aligned([_step_row(step) for step in preset.steps], "  "),
        _section("consent", _consent_lines(preset)),
        _section("safety", preset.safety_notes),
        _section("when it fails", [f"{code}: {said}" for code, said in preset.failure_modes.items()]),
    ]
    return "".join(parts)


def _aligned(rows: Sequence[Sequence[object]], indent: str = "") -> str:
    """Columns of text, each as wide as it needs to be; None becomes -."""
    cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"{indent}{line.rstrip()}\n" for line in lines)


def _section(title: str, lines: Sequence[str]) -> str:
    return f"\n{title}\n" + "".join(f"  {line}\n" for line in lines) if lines else ""


def _input_row(name: str, spec: ValueSpec) -> tuple[str, str]:
    needed = "required" if spec.required else f"default {spec.default}" if spec.default is not None else "optional"
    return name, f"{spec.description or name}: {allowed_values(spec).removeprefix('must be ')}; {needed}"


def _render_levels(preset: Preset, times: TimesOfLevels) -> str:
    rows = [
        (level, *(f"{key} {_shown(value)}" for key, value in sorted(values.items())), *_seconds(preset, level, times))
        for level, values in preset.quality_levels.items()
    ]
    return _aligned(rows, "  ")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(preset: Preset, level: str, times: TimesOfLevels) -> tuple[str, str]:
    seconds, measured = preset.estimated_seconds.get(level), times.get(level)
    default = "(the default)" if level == preset.usual_quality else ""
    if measured:
        return f"{measured.seconds:.3g} s, measured on {measured.jobs} jobs", default
    return "" if seconds is None else f"about {seconds:g} s", default


def _step_row(step: PresetStep) -> tuple[str, str, str]:
    does = f"{step.task} by an engine" if step.uses_engine else step.run
    return step.name, does, f"only if {render_condition(step.when)}" if step.when else ""


def _consent_lines(preset: Preset) -> list[str]:
    if preset.consent is None:
        return []
    when = preset.consent.when
    return [f'"{preset.consent.text}", {f"if {render_condition(when)}" if when else "always"}']
