"""Parameters of a request read as FastAPI reads them, where what they may be is simple."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from fastapi.params import Body
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request

Read = Callable[[Request], object]
Place = Literal["path", "query", "header"]
_SIMPLE = frozenset({str, int, float, bool, uuid.UUID, datetime, NoneType})
_PLACES: Mapping[Place, Callable[[Request], Mapping[str, Any]]] = {
    "path": lambda request: request.path_params,
    "query": lambda request: request.query_params,
    "header": lambda request: request.headers,
}


class Mistaken(Exception):
    """What was sent has a mistake, or is not simple."""


def reader_of(field: Any, place: Place, *, alone: bool = False) -> Read | None:  # noqa: ANN401 - FastAPI exports no type
    """Reads the parameter, or raises Mistaken; None if FastAPI is to read it. A shape takes the whole query, so it has
    to stand `alone`."""
    kind = field.field_info.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return (lambda request: _read_query(request, field)) if alone and place == "query" else None
    if _is_simple(kind) and not _has_other_names(field, place) and not _makes_default(field):
        return _reader_of_value(field, place)
    return None


def is_json_body(field: Any, parameters: Sequence[Any]) -> bool:  # noqa: ANN401 - FastAPI exports no type
    """Whether the body is one document, and not a form or the member of an object."""
    return len(parameters) == 1 and field is parameters[0] and type(field.field_info) is Body


async def read_json_body(request: Request, field: Any) -> object:  # noqa: ANN401
    """Reads the body, or raises Mistaken, also for one that is not there. FastAPI finds it as it was."""
    if request.headers.get("content-type") != "application/json":
        raise Mistaken
    try:
        document = await request.json()
    except HTTPException:
        raise
    except Exception as error:  # FastAPI says what is wrong with it
        raise Mistaken from error
    if document is None:
        raise Mistaken
    return _checked(field, document, ("body",))


def _is_simple(kind: object) -> bool:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return all(map(_is_simple, get_args(kind)))
    return origin is Literal or kind in _SIMPLE


def _has_other_names(field: Any, place: Place) -> bool:  # noqa: ANN401
    """FastAPI finds a header under other names, too, if its name has underscores."""
    return (place == "header" and "_" in field.alias) or field.field_info.validation_alias not in (None, field.alias)


def _makes_default(field: Any) -> bool:  # noqa: ANN401
    """The value of one that is missing may be another each time."""
    return bool(field.field_info.validate_default) or field.field_info.default_factory is not None


def _read_query(request: Request, field: Any) -> object:  # noqa: ANN401
    given = request.query_params.multi_items()
    found = dict(given)
    if len(found) != len(given):
        raise Mistaken
    return _checked(field, found, ("query",))


def _reader_of_value(field: Any, place: Place) -> Read:  # noqa: ANN401
    """What does not change from request to request is asked of the field once."""
    values, alias, required, default = _PLACES[place], field.alias, field.field_info.is_required(), field.default

    def read(request: Request) -> object:
        value = values(request).get(alias)
        if value is not None:
            return _checked(field, value, (place, alias))
        if required:
            raise Mistaken
        return default

    return read


def _checked(field: Any, value: object, place: Sequence[str]) -> object:  # noqa: ANN401
    found, mistakes = field.validate(value, {}, loc=place)
    if mistakes:
        raise Mistaken
    return found
