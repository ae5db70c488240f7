"""Answers that are written as the database has their rows. A shape that is made of every row, and written again, costs
several times as much as the rest of the request."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response

from gateway.shape import Shape

Rows = Sequence[Mapping[str, Any]]


def answer_rows(name: str, shape: type[Shape], rows: Rows, next_cursor: str | None) -> Response:
    """The page that has these rows under the name, as if each were of the shape."""
    return Response(page_of(name, shape, rows, next_cursor), media_type="application/json")


def page_of(name: str, shape: type[Shape], rows: Rows, next_cursor: str | None) -> bytes:
    """The same as JSON."""
    must_have_shape(shape, rows)
    return as_json({name: rows, "count": len(rows), "next_cursor": next_cursor})


def must_have_shape(shape: type[Shape], rows: Rows) -> None:
    """All rows are of one statement, so the first tells whether they have what the shape says."""
    if rows and rows[0].keys() != shape.model_fields.keys():
        raise TypeError(f"{shape.__name__} says something else than {', '.join(rows[0])}")


def as_json(document: Mapping[str, Any]) -> bytes:
    """As a shape would write it."""
    return orjson.dumps(document, default=_written, option=orjson.OPT_UTC_Z)


def _written(value: object) -> str:
    """Ids as the database's driver has them, which are of a class of its own."""
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
