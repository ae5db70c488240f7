"""The names that stand where a request has a name that nobody knows. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from pydantic import BaseModel

KnownFields = Callable[[str, Sequence[str]], set[str]]
"""Takes where, `body` or `query`, and the steps that lead to the object; says which fields it may have."""


def no_fields(_: str, __: Sequence[str]) -> set[str]:
    return set()


def fields_of(route: Any) -> KnownFields:  # noqa: ANN401 - a route, None where no path matched
    """Those of the parameters and the body of a route."""
    dependant = getattr(route, "dependant", None)

    def known(where: str, steps: Sequence[str]) -> set[str]:
        taken = getattr(dependant, f"{where}_params", ())
        named = (fields_at(one.field_info.annotation, steps) or _own_name(one, where) for one in taken)
        return set().union(*named)

    return known


def _own_name(parameter: Any, where: str) -> set[str]:  # noqa: ANN401 - FastAPI exports no type
    return {parameter.alias} if where == "query" else set()


def fields_at(kind: object, steps: Sequence[str]) -> set[str]:
    """Those of an object at this place of a value of this kind."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        inner = steps[1:] if steps and steps[0].isdigit() else steps
        return set().union(*(fields_at(one, inner) for one in get_args(kind)))
    named = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    if not steps:
        return set(named)
    return fields_at(named[steps[0]], steps[1:]) if steps[0] in named else set()
