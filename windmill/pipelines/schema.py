"""The JSON Schema of typed values: what a page makes its form of, and a client checks a request with."""

from collections.abc import Mapping
from typing import Any

from windmill.pipelines.values import MAX_SEED, ValueSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"}


def inputs_schema(specs: Mapping[str, ValueSpec]) -> dict[str, Any]:
    """An object with these values; a value that may be absent may be null, too."""
    return {
        "type": "object",
        "properties": {name: _property(spec) for name, spec in specs.items()},
        "required": [name for name, spec in specs.items() if spec.required],
        "additionalProperties": False,
    }


def _property(spec: ValueSpec) -> dict[str, Any]:
    schema = value_schema(spec)
    if not spec.required:
        schema = {"anyOf": [schema, {"type": "null"}]}
    notes = {"description": spec.description, "default": spec.default, "examples": list(spec.examples)}
    return {**schema, **{name: note for name, note in notes.items() if note not in ("", None, [])}}


def value_schema(spec: ValueSpec) -> dict[str, Any]:
    """The schema of one value that is there."""
    match spec.type:
        case "text":
            return _text_schema(spec)
        case "integer" | "number":
            bounds = {"minimum": spec.minimum, "maximum": spec.maximum}
            return {"type": spec.type, **{name: bound for name, bound in bounds.items() if bound is not None}}
        case "boolean":
            return {"type": "boolean"}
        case "choice":
            return {"type": "string", "enum": list(spec.choices)}
        case "seed":
            return {"type": "integer", "minimum": 0, "maximum": MAX_SEED}
        case "images":
            return {"type": "array", "items": _file("image"), "minItems": spec.min_items, "maxItems": spec.max_items}
        case _:
            return _file(spec.type)


def _file(kind: str) -> dict[str, Any]:
    return {**_ID, "format": f"windmill-{kind}"}


def _text_schema(spec: ValueSpec) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": spec.min_length, "maxLength": spec.max_length}
    patterns = [_escaped(part) for part in spec.contains] + ([r"\S"] if spec.min_length else [])
    return {**schema, "allOf": [{"pattern": pattern} for pattern in patterns]} if patterns else schema


def _escaped(text: str) -> str:
    """For the regular expressions of JavaScript, which JSON Schema has: only signs that mean something there."""
    return "".join(f"\\{sign}" if sign in r"\^$.*+?()[]{}|/" else sign for sign in text)
