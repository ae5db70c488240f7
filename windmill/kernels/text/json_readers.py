"""Readers that parse and validate parts of a JSON document: each takes a value and its key and returns the parsed
value.

Errors name the key, the value and what is allowed, for all mistakes of a document at once.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from windmill.kernels.text.near_names import did_you_mean

V = TypeVar("V")
W = TypeVar("W")
Reader = Callable[[object, str], V]
Readers = Mapping[str, Reader[Any]]
ABSENT: Final = object()
"""The value of a missing key."""
_MAX_RENDERED = 80


@dataclass(frozen=True)
class Mistake:
    """One mistake in a document."""

    key: str
    value: object
    message: str

    def __str__(self) -> str:
        key = self.key or "it"
        return (
            f"{key} {self.message}"
            if self.value is ABSENT
            else f"{key} is {self.value!r:.{_MAX_RENDERED}}, and {self.message}"
        )

    @property
    def rendered_value(self) -> str:
        """Its value, shortened for display."""
        return "" if self.value is ABSENT else f"{self.value!s:.{_MAX_RENDERED}}"


class DocumentInvalid(ValueError):
    """All mistakes in a document or in a part of it."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class MistakeCollector:
    """Collects mistakes and lets reading continue, so that all are found."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def part(self) -> "_Part":
        """Collect the mistake of this block and skip the rest of it."""
        return _Part(self.mistakes)

    def end(self) -> None:
        """Raise the collected mistakes."""
        if self.mistakes:
            raise DocumentInvalid(self.mistakes)


class _Part:
    """A class, as there is one for each value that is read, and a generator costs more than most readers."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self._mistakes = mistakes

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, DocumentInvalid):
            return False
        self._mistakes += error.mistakes
        return True


def invalid_value(key: str, value: object, allowed: str) -> DocumentInvalid:
    """The exception for a value that is not allowed."""
    return rejected_value(key, value, f"must be {allowed}")


def rejected_value(key: str, value: object, message: str) -> DocumentInvalid:
    """The exception for a value of the right type that is rejected for another reason."""
    return DocumentInvalid([Mistake(key, value, message)])


def number(low: float, high: float) -> Reader[float]:
    """A number within these bounds."""

    def read(value: object, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise invalid_value(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    return read


def integer(low: int, high: int) -> Reader[int]:
    """A whole number within these bounds."""

    def read(value: object, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise invalid_value(key, value, f"a whole number from {low} to {high}")
        return value

    return read


def seconds(maximum: float) -> Reader[float]:
    """A duration in seconds above 0, at most `maximum`."""

    def read(value: object, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= maximum:
            raise invalid_value(key, value, f"seconds above 0, at most {maximum:g}")
        return value

    return read


def boolean(value: object, key: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise invalid_value(key, value, "true or false")
    return value


def text(value: object, key: str) -> str:
    """Text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise invalid_value(key, value, "text")
    return value


def matching(pattern: str, allowed: str) -> Reader[str]:
    """Text that matches a pattern."""
    compiled = re.compile(pattern)

    def read(value: object, key: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise invalid_value(key, value, allowed)
        return value

    return read


def parse_time(value: str) -> datetime:
    """Parse an RFC 3339 time into UTC, the default time zone; raises ValueError."""
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(f"{value} lies outside the calendar in UTC") from error


def optional(reader: Reader[V]) -> Reader[V | None]:
    """A value for the reader, or null."""

    def read(value: object, key: str) -> V | None:
        return None if value is None else reader(value, key)

    return read


def one_of(choices: Collection[object]) -> Reader[Any]:
    """One of these values."""
    allowed = "one of " + ", ".join("null" if one is None else str(one) for one in choices)

    def read(value: object, key: str) -> Any:  # noqa: ANN401 - whatever the choices are
        if value not in tuple(choices):
            raise invalid_value(key, value, allowed)
        return value

    return read


def or_literal(word: str, reader: Reader[V]) -> Reader[V | str]:
    """A value for the reader, or this literal."""

    def read(value: object, key: str) -> V | str:
        try:
            return word if value == word else reader(value, key)
        except DocumentInvalid as error:
            mistakes = [replace(one, message=f'{one.message}, or "{word}"') for one in error.mistakes]
            raise DocumentInvalid(mistakes) from None

    return read


def list_of(reader: Reader[V], of: str) -> Reader[tuple[V, ...]]:
    """A list, each value parsed by the reader; `of` describes the values."""

    def read(value: object, key: str) -> tuple[V, ...]:
        if not isinstance(value, list | tuple):
            raise invalid_value(key, value, f"a list of {of}")
        found, read = MistakeCollector(), []
        for place, one in enumerate(value):
            with found.part():
                read.append(reader(one, f"{key}[{place}]"))
        found.end()
        return tuple(read)

    return read


def mapped(make: Callable[[V], W], reader: Reader[V]) -> Reader[W]:
    """A value for the reader, converted by `make`."""

    def read(value: object, key: str) -> W:
        return make(reader(value, key))

    return read


def mapping(value: object, key: str) -> dict[str, Any]:
    """An object with any contents."""
    if not isinstance(value, dict):
        raise invalid_value(key, value, "an object")
    return value


def dict_of(reader: Reader[V]) -> Reader[dict[str, V]]:
    """An object, each value parsed by the reader."""

    def read(value: object, key: str) -> dict[str, V]:
        found, read = MistakeCollector(), {}
        for name, entry in mapping(value, key).items():
            with found.part():
                read[name] = reader(entry, f"{key}.{name}")
        found.end()
        return read

    return read


def object_of(
    readers: Readers, *, required: Collection[str] = (), notes: Collection[str] = ()
) -> Reader[dict[str, Any]]:
    """An object with a reader for each key; returns the parsed values of the keys present. `notes` are comments and
    ignored."""

    def read(value: object, key: str) -> dict[str, Any]:
        given = mapping(value, key)
        prefix = f"{key}." if key else ""
        found, read = MistakeCollector(), {}
        found.mistakes += unknown_keys({name: given[name] for name in given if name not in notes}, prefix, readers)
        for name, reader in readers.items():
            with found.part():
                if name in given:
                    read[name] = reader(given[name], f"{prefix}{name}")
                elif name in required:
                    raise rejected_value(f"{prefix}{name}", ABSENT, "is missing")
        found.end()
        return read

    return read


def unknown_keys(given: Mapping[str, object], prefix: str, known: Collection[str]) -> list[Mistake]:
    """Unknown keys, each with a suggestion."""
    mistakes = []
    for name in given.keys() - set(known):
        said = f"is not a known key; {did_you_mean(name, known)}known: {', '.join(known)}"
        mistakes.append(Mistake(f"{prefix}{name}", given[name], said))
    return sorted(mistakes, key=lambda mistake: mistake.key)


def dataclass_of(shape: Callable[..., V], readers: Readers, *, notes: Collection[str] = ()) -> Reader[V]:
    """A dataclass from an object with a reader for each key; missing keys get the default of the field."""
    kind: Any = shape
    required = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    values = object_of(readers, required=required, notes=notes)

    def read(value: object, key: str) -> V:
        return shape(**values(value, key))

    return read
