"""Small presets for tests."""

import copy
from typing import Any

from windmill.core.errors import ConfigInvalid
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_reader import parse_preset

SMALL: dict[str, Any] = {
    "id": "soft_film",
    "version": 1,
    "name": "Soft film",
    "category": "post_processing",
    "inputs": {"photo": {"type": "image", "required": True}},
    "steps": [{"name": "grain", "run": "film_grain", "inputs": {"picture": "$photo"}}],
}
DRAWN: dict[str, Any] = {
    "id": "drawn",
    "version": 3,
    "name": "Drawn",
    "category": "image_generation",
    "inputs": {
        "prompt": {"type": "text", "required": True, "min_length": 1, "max_length": 100, "examples": ["a cat"]},
        "seed": {"type": "seed"},
        "look": {"type": "choice", "choices": ["warm", "cool"], "default": "warm"},
        "face": {"type": "images", "max_items": 3},
        "count": {"type": "integer", "minimum": 1, "maximum": 4},
    },
    "quality_levels": {"low": {"grain": 0.1, "shots": 1}, "pro": {"grain": 0.4, "shots": 3}},
    "default_quality": "low",
    "engines": ["builtin"],
    "steps": [
        {
            "name": "draw",
            "run": "engine",
            "task": "generate_image",
            "repeat": {"first": ["$count", "$quality.shots"]},
            "inputs": {"face": "$face"},
            "parameters": {"prompt": {"fill": "{p}, no. {n}", "with": {"p": "$prompt", "n": "$each"}}, "seed": "$seed"},
        },
        {"name": "sheet", "run": "contact_sheet"},
        {
            "name": "grade",
            "run": "color_grade",
            "when": {"value": "$quality", "equals": "pro"},
            "parameters": {"look": "$look"},
        },
        {"name": "grain", "run": "film_grain", "parameters": {"strength": "$quality.grain", "seed": "$seed"}},
    ],
    "consent": {"text": "I may", "when": {"value": "$face", "given": True}},
}


def with_value(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with another value at a path such as steps.0.run; `...` removes it."""
    made = copy.deepcopy(document)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = made
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


def preset(document: dict[str, Any]) -> Preset:
    return parse_preset(document, f"{document['id']}.json")


def problems(document: dict[str, Any]) -> list[str]:
    """Each problem as `place: value: what to do`."""
    try:
        parse_preset(document, "")
    except ConfigInvalid as error:
        return [f"{one.name.removeprefix(': ')}: {one.value}: {one.allowed}" for one in error.problems]
    return []
