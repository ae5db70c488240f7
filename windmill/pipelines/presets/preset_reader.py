"""Reads a preset out of a JSON document: what each key may hold. How keys go together is checked in preset_checks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from windmill.core.error_names import code_named
from windmill.core.errors import ERROR_CODES, ConfigInvalid, Problem
from windmill.kernels.text.json_readers import (
    DocumentInvalid,
    Mistake,
    MistakeCollector,
    Reader,
    dataclass_of,
    dict_of,
    integer,
    list_of,
    mapping,
    matching,
    number,
    object_of,
    one_of,
    rejected_value,
    text,
)
from windmill.kernels.text.near_names import did_you_mean
from windmill.pipelines.presets.conditions import read_condition
from windmill.pipelines.presets.expressions import read_expression
from windmill.pipelines.presets.preset import Category, Consent, Preset, PresetStep
from windmill.pipelines.presets.preset_checks import mistakes_of
from windmill.pipelines.values import LARGEST, LIMITS, MAX_FILES, MAX_TEXT, VALUE_TYPES, ValueSpec

MAX_BYTES = 262_144
NAME = matching(r"[a-z][a-z0-9_]{0,62}", "a name of small letters, digits and _ that begins with a letter")


def load_preset(path: Path) -> Preset:
    """The preset of a file; raises ConfigInvalid with every problem, each with file, place, value and remedy."""
    try:
        return parse_preset(_document(path), path.name)
    except OSError as error:
        raise ConfigInvalid([Problem(path.name, "", f"cannot be read: {error.strerror}")]) from error


def _document(path: Path) -> object:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigInvalid([Problem(path.name, "", f"has more than {MAX_BYTES} bytes; make it shorter")])
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigInvalid([Problem(path.name, "", f"is not valid JSON: {error}")]) from error


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of two equal keys the last would silently win."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twin!r} stands twice in one object; remove one")
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def parse_preset(document: object, source: str) -> Preset:
    """The preset that a document describes; its id is the name of its file."""
    try:
        preset = _READ(mapping(document, ""), "")
        if mistakes := [*_wrong_name(preset, source), *mistakes_of(preset)]:
            raise DocumentInvalid(mistakes)
    except DocumentInvalid as error:
        raise ConfigInvalid([_problem(source, one) for one in error.mistakes]) from error
    return preset


def _problem(source: str, mistake: Mistake) -> Problem:
    return Problem(f"{source}: {mistake.key}" if mistake.key else source, mistake.rendered_value, mistake.message)


def _wrong_name(preset: Preset, source: str) -> list[Mistake]:
    if source in (f"{preset.id}.json", ""):
        return []
    return [Mistake("id", preset.id, f"must be the name of the file; rename the file to {preset.id}.json")]


_COUNT = integer(0, MAX_TEXT)
_LIMIT_READERS: Mapping[str, Reader[Any]] = {
    "minimum": number(-LARGEST, LARGEST),
    "maximum": number(-LARGEST, LARGEST),
    "min_length": _COUNT,
    "max_length": integer(1, MAX_TEXT),
    "contains": list_of(text, "texts"),
    "choices": list_of(text, "texts"),
    "min_items": integer(1, MAX_FILES),
    "max_items": integer(1, MAX_FILES),
}


def _value(value: object, _: str) -> Any:  # noqa: ANN401 - checked against the type when all is read
    return value


def _boolean(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise rejected_value(key, value, "must be true or false")
    return value


def _input(value: object, key: str) -> ValueSpec:
    """Which limits there are depends on the type."""
    given = mapping(value, key)
    if given.get("type") not in VALUE_TYPES:
        said = f"must be one of {', '.join(VALUE_TYPES)}"
        raise rejected_value(f"{key}.type", given.get("type"), said)
    limits = {name: _LIMIT_READERS[name] for name in LIMITS[given["type"]]}
    readers = {
        "type": text,
        "description": text,
        "required": _boolean,
        "default": _value,
        "examples": list_of(_value, "values"),
        **limits,
    }
    return ValueSpec(**object_of(readers, required=["type"])(given, key))


def _level(value: object, key: str) -> Mapping[str, Any]:
    return dict_of(_plain)(_named(value, key), key)


def _plain(value: object, key: str) -> Any:  # noqa: ANN401 - any plain value
    if isinstance(value, dict | list) or value is None:
        raise rejected_value(key, value, "must be a plain text, number or boolean")
    return value


def _named(value: object, key: str) -> dict[str, Any]:
    """An object whose keys can be referred to."""
    found = MistakeCollector()
    for name in mapping(value, key):
        with found.part():
            NAME(name, f"{key}.{name}")
    found.end()
    return mapping(value, key)


def _dict_of_named(reader: Reader[Any]) -> Reader[dict[str, Any]]:
    return lambda value, key: dict_of(reader)(_named(value, key), key)


def _codes(value: object, key: str) -> dict[str, str]:
    for name in mapping(value, key):
        if code_named(name) is None:
            hint = did_you_mean(name, ERROR_CODES, alike=0.5)
            raise rejected_value(f"{key}.{name}", name, f"is no error code; {hint}docs/errors.md has them all")
    return dict_of(text)(value, key)


_STEP = dataclass_of(
    PresetStep,
    {
        "name": NAME,
        "run": NAME,
        "task": NAME,
        "description": text,
        "when": read_condition,
        "inputs": _dict_of_named(read_expression),
        "parameters": _dict_of_named(read_expression),
        "repeat": read_expression,
        "batch_size": read_expression,
        "engines": list_of(NAME, "names of engines"),
    },
)
_READ = dataclass_of(
    Preset,
    {
        "id": NAME,
        "version": integer(1, 1_000_000),
        "name": text,
        "description": text,
        "category": one_of(get_args(Category)),
        "inputs": _dict_of_named(_input),
        "quality_levels": _dict_of_named(_level),
        "default_quality": text,
        "engines": list_of(NAME, "names of engines"),
        "requirements": list_of(text, "texts"),
        "steps": list_of(_STEP, "steps"),
        "consent": dataclass_of(Consent, {"text": text, "when": read_condition}),
        "safety_notes": list_of(text, "texts"),
        "failure_modes": _codes,
        "estimated_seconds": _dict_of_named(number(0, 1_000_000)),
    },
)
