"""Readers for parts of a document of constants: each takes a value and its key, and raises ValueError naming both."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

V = TypeVar("V")
Reader = Callable[[object, str], Any]


def wrong(key: str, value: object, allowed: str) -> ValueError:
    """What to raise when the value of a key is not what is allowed."""
    return ValueError(f"{key} is {value!r}, and must be {allowed}")


def number(low: float, high: float) -> Callable[[object, str], float]:
    """A number within these bounds."""

    def read(value: object, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise wrong(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    return read


def text(value: object, key: str) -> str:
    """Some text."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(key, value, "text")
    return value


def optional(reader: Callable[[object, str], V]) -> Callable[[object, str], V | None]:
    """What the reader reads, or null."""

    def read(value: object, key: str) -> V | None:
        return None if value is None else reader(value, key)

    return read


def one_of(choices: tuple[object, ...]) -> Reader:
    """One of few values."""

    def read(value: object, key: str) -> Any:  # noqa: ANN401 - whatever the choices are
        if value not in choices:
            raise wrong(key, value, "one of " + ", ".join("null" if one is None else str(one) for one in choices))
        return value

    return read


def shaped(shape: Callable[..., V], readers: Mapping[str, Reader]) -> Callable[[object, str], V]:
    """A dataclass out of an object with a reader for each key; what is left out has its default."""

    def read(value: object, key: str) -> V:
        given = _object(value, key)
        for name in given:
            if name not in readers:
                raise ValueError(f"{key}.{name} is {given[name]!r}, and no such key is known")
        return shape(**{name: readers[name](given[name], f"{key}.{name}") for name in given})

    return read


def each(reader: Callable[[object, str], V]) -> Callable[[object, str], dict[str, V]]:
    """An object of which each value is read alike."""

    def read(value: object, key: str) -> dict[str, V]:
        return {name: reader(entry, f"{key}.{name}") for name, entry in _object(value, key).items()}

    return read


def _object(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(key, value, "an object")
    return value
