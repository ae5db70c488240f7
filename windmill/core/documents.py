"""JSON documents and arrays, as rows hold them and statements take them."""

import re
from collections.abc import Sequence
from typing import Any

import orjson

# Not the text of a backslash and u0000, in which the backslash is written twice.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def as_object(text: str | None) -> dict[str, Any]:
    """A stored document. Rows may have been written by hand, so that it can be anything."""
    try:
        document = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def as_json(document: object) -> str:
    """What PostgreSQL takes as jsonb; equal documents give equal text. A NUL it does not take."""
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    return _NUL.sub("\\1\ufffd", text) if "\\u0000" in text else text


def as_list(values: Sequence[object]) -> str:
    """A row of an array of arrays, which unnest would flatten: joined here, and parted there."""
    return ",".join(map(str, values))
