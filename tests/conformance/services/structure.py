"""Deriving the shape of a captured reply, so that a stand-in's replies can be held against it.

The files in `replies/` have the structure of what the real services sent; their values are made up.
"""

import json
from functools import reduce
from pathlib import Path
from typing import Any

from dev.farm.shapes import Shape, departures, kind_of

OWN_KEYS = ("simulated", "shiny", "file_hash", "phash")
REPLIES = Path(__file__).parent / "replies"


def captured(name: str) -> dict[str, Any]:
    """A fixture: `status`, `content_type` and `body`."""
    document: dict[str, Any] = json.loads((REPLIES / f"{name}.json").read_text(encoding="utf-8"))
    return document


def derive(value: object) -> Shape:
    """The narrowest shape that the value has."""
    if isinstance(value, dict):
        return {key: derive(element) for key, element in value.items()}
    if isinstance(value, list):
        return [reduce(merge, map(derive, value))] if value else []
    return kind_of(value)


def merge(a: Shape, b: Shape) -> Shape:
    """The narrowest shape that takes what either takes; a key that only one has is optional."""
    if isinstance(a, dict) and isinstance(b, dict):
        return _merge_objects(a, b)
    if isinstance(a, list) and isinstance(b, list):
        return [merge(a[0], b[0])] if a and b else a or b
    if isinstance(a, str) and isinstance(b, str):
        return "|".join(sorted({*a.split("|"), *b.split("|")}))
    raise TypeError(f"no shape takes both {a!r} and {b!r}")


def unlike(body: object, *examples: object) -> list[str]:
    """How a stand-in's body departs from the structure that the examples have in common.

    Its own are `simulated` in model_info, `shiny`, which is too rare to be in an example, and `file_hash` and `phash`,
    which newer versions of metadata send.
    """
    return departures(_without_own_keys(body), reduce(merge, map(derive, examples)))


def _without_own_keys(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_own_keys(v) for k, v in value.items() if k not in OWN_KEYS}
    return [_without_own_keys(element) for element in value] if isinstance(value, list) else value


def _merge_objects(a: dict[str, Shape], b: dict[str, Shape]) -> dict[str, Shape]:
    shapes_a, shapes_b = ({key.removesuffix("?"): shape for key, shape in s.items()} for s in (a, b))
    merged = {}
    for key in shapes_a | shapes_b:
        shapes = [shapes[key] for shapes in (shapes_a, shapes_b) if key in shapes]
        merged[key if key in a and key in b else f"{key}?"] = reduce(merge, shapes)
    return merged
