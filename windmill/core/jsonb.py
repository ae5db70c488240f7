"""JSON to and from PostgreSQL: jsonb columns and array parameters."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

# Skips an escaped backslash followed by u0000, which is plain text.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def parse_object(text: str | None) -> dict[str, Any]:
    """Parse a stored document; {} if it is not an object, as people may write rows by hand."""
    try:
        document = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def parse_objects(text: str) -> list[dict[str, Any]]:
    """The objects of a stored list; [] if it is none, or cannot be read."""
    try:
        documents = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    return [one for one in documents if isinstance(one, dict)] if isinstance(documents, list) else []


def render_jsonb(document: object) -> str:
    """Text that PostgreSQL accepts as jsonb, with NUL replaced; equal documents give equal text."""
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    return _NUL.sub("\\1\ufffd", text) if "\\u0000" in text else text


def normalize_jsonb(text: str) -> str:
    """A stored document as `render_jsonb` would write it, to compare it with a computed one. Empty, so unequal to all,
    if it is no object or cannot be written again: PostgreSQL takes documents that are nested deeper than we write."""
    try:
        document = orjson.loads(text)
        return render_jsonb(document) if isinstance(document, dict) else ""
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return ""


def render_list(values: Sequence[object]) -> str:
    """A comma-separated list: unnest would flatten an array of arrays, so SQL splits this text instead."""
    return ",".join(map(str, values))
