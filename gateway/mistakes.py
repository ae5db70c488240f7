"""What is wrong with the values of a request, each with its place. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from gateway.field_words import field_words
from gateway.known_fields import KnownFields, no_fields
from gateway.shape import Shape
from windmill.core.errors import WindmillError
from windmill.kernels.text.near_names import near_name

MOST_MISTAKES = 50
_FORM = "form:"
"""Begins the name of one of several forms that a body may have, which is no part of the place of a mistake."""


class FieldMistake(Shape):
    """What is wrong with one value of a request: a JSON pointer into the body, or the name of a parameter."""

    where: str
    pointer: str
    detail: str


def malformed(error: RequestValidationError) -> WindmillError | None:
    """A body that is no JSON has no fields that could be named."""
    for one in error.errors():
        if one["type"] == "json_invalid":
            why = dict(one.get("ctx") or {}).get("error", "it ends too soon")
            said = f"the body is not JSON: {why} at character {one['loc'][-1]}"
            return WindmillError("CONTRACT_MISMATCH", said, "correct it there")
    return None


def mistakes_of(error: Exception, known: KnownFields = no_fields) -> list[FieldMistake]:
    """Without the values, which may be large or secret."""
    if not isinstance(error, RequestValidationError) or malformed(error):
        return []
    return [_mistake(one, known) for one in error.errors()[:MOST_MISTAKES]]


def summary_of(mistakes: Sequence[FieldMistake]) -> str:
    """All of them in a line: the first, and how many more there are."""
    first, more = mistakes[0], len(mistakes) - 1
    said = f"{first.pointer or first.where}: {first.detail}"
    return f"{said} (and {more} more, see errors)" if more else said


def _mistake(one: Mapping[str, Any], known: KnownFields) -> FieldMistake:
    """Of an unknown field also which of the known ones may be meant."""
    where, *steps = (step for step in map(str, one["loc"]) if not step.startswith(_FORM))
    said = field_words(one)
    if one["type"] == "extra_forbidden":
        near = near_name(steps[-1], known(where, steps[:-1]))
        said += f"; did you mean {near!r}?" if near else ""
    if where != "body":
        return FieldMistake(where=where, pointer=".".join(steps), detail=said)
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return FieldMistake(where=where, pointer=pointer, detail=said)
