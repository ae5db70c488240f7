"""A small language for the shape of JSON, and how a value departs from a shape. Pure.

"string", "number", "integer", "boolean", "null", "any", or several as "number|null"; [shape] is a list of any length,
(a, b) one of just that length; {"key": shape, "perhaps?": shape, "*": shape} an object, "*" being any other key.
NaN counts as a number: Python reads it, though JSON has no such thing.
"""

from collections.abc import Iterator
from typing import Any

Shape = Any
"""str, list, tuple or dict, as the module says."""


def departures(value: object, shape: Shape, where: str = "") -> list[str]:
    """Each way in which the value is not of the shape, as `path: expected ..., got ...`; empty when it is."""
    return list(_departures(value, shape, where))


def kind_of(value: object) -> str:
    """The JSON type of a value, whole numbers apart."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "object"}
    return names.get(type(value), "null")


def _departures(value: object, shape: Shape, where: str) -> Iterator[str]:
    if isinstance(shape, str):
        if not _is_one_of(kind_of(value), shape):
            yield _expected(where, shape, value)
    elif isinstance(shape, dict):
        if isinstance(value, dict):
            yield from _in_object(value, shape, where)
        else:
            yield _expected(where, "object", value)
    elif not isinstance(value, list):
        yield _expected(where, "list", value)
    else:
        yield from _in_list(value, shape, where)


def _in_list(value: list[object], shape: Shape, where: str) -> Iterator[str]:
    if isinstance(shape, tuple) and len(value) != len(shape):
        yield f"{where or 'body'}: expected {len(shape)} elements, got {len(value)}"
        return
    for index, element in enumerate(value):
        inner = shape[index] if isinstance(shape, tuple) else shape[0] if shape else "any"
        yield from _departures(element, inner, f"{where}[{index}]")


def _in_object(value: dict[str, object], shape: dict[str, Shape], where: str) -> Iterator[str]:
    named = {key.removesuffix("?"): inner for key, inner in shape.items() if key != "*"}
    for key in named:
        if key in shape and key not in value:
            yield f"{_join(where, key)}: expected {_name(named[key])}, got nothing"
    for key, element in value.items():
        inner = named.get(key, shape.get("*"))
        if inner is None:
            yield f"{_join(where, key)}: expected no such key, got {kind_of(element)}"
        else:
            yield from _departures(element, inner, _join(where, key))


def _is_one_of(kind: str, wanted: str) -> bool:
    return any(name in (kind, "any") or (name == "number" and kind == "integer") for name in wanted.split("|"))


def _expected(where: str, wanted: str, value: object) -> str:
    shown = repr(value)
    return f"{where or 'body'}: expected {wanted}, got {kind_of(value)} {shown[:60]}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _name(shape: Shape) -> str:
    return shape if isinstance(shape, str) else "object" if isinstance(shape, dict) else "list"
