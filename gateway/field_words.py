"""What may stand in a field, in words of people: the checks of shapes speak of classes of Python. Pure."""

from collections.abc import Mapping
from typing import Any

MISSING = "is missing"
_TIME = "such as 2026-11-27T08:30:00Z"
_KINDS: Mapping[str, str] = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
    "uuid": "an id of the form 01234567-89ab-cdef-0123-456789abcdef",
    "datetime": f"a time {_TIME}",
    "timezone": f"a time with its zone, {_TIME}",
    "none": "null",
}
"""By how the names of checks of what kind a value is begin: `int_type`, `int_parsing`."""
_LIMITS: Mapping[str, str] = {
    "too_short": "must have at least this many entries: {min_length}",
    "too_long": "must have at most this many entries: {max_length}",
    "string_too_short": "must have at least this many characters: {min_length}",
    "string_too_long": "must have at most this many characters: {max_length}",
    "string_pattern_mismatch": "must have the form {pattern}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "extra_forbidden": "there is no such field",
    "missing": MISSING,
}


def field_words(mistake: Mapping[str, Any]) -> str:
    """What is wrong with one value, without the value."""
    check, facts = str(mistake["type"]), mistake.get("ctx") or {}
    if check in _LIMITS:
        return _LIMITS[check].format_map(facts)
    kind, said = _KINDS.get(check.partition("_")[0]), str(mistake["msg"]).removeprefix("Value error, ")
    if said.startswith("Expected UploadFile"):
        kind = "a file"
    return f"must be {kind}" if kind else said
