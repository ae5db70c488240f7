"""Differences of arguments as a diff on one line."""

import re
from collections.abc import Mapping

_REFUSED = re.compile(r"inequivalent arg '(.+?)'.*: received (.+?) but current is (.+)", re.DOTALL)
_QUOTED = re.compile(r"'(.*?)'")


def argument_diff(found: Mapping[str, object], wanted: Mapping[str, object]) -> str:
    """`-key=found +key=wanted` for each key that differs; empty if none does."""
    parts = []
    for key in sorted(found.keys() | wanted.keys()):
        if key in found and key in wanted and found[key] == wanted[key]:
            continue
        parts += [f"-{key}={_render_value(found[key])}"] if key in found else []
        parts += [f"+{key}={_render_value(wanted[key])}"] if key in wanted else []
    return " ".join(parts)


def refusal_diff(words: str) -> str:
    """The broker's refusal of a declaration as such a diff. It names only the first argument that differs."""
    match = _REFUSED.search(words)
    if not match:
        return words
    key, sides = match[1], [_quoted(match[3]), _quoted(match[2])]
    return argument_diff(*({} if side is None else {key: side} for side in sides))


def _quoted(words: str) -> str | None:
    """The x in `the value 'x' of type 'longstr'`; None for `none`."""
    match = _QUOTED.search(words)
    return match[1] if match else None


def _render_value(value: object) -> str:
    """Quotes make an empty value visible."""
    return str(value) if value != "" else "''"
