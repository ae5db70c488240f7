"""Readers for parts of a JSON document: each takes a value and its key, and gives what it means.

What is not allowed is told with its key, its value and what would be, and all of a document at once.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

V = TypeVar("V")
W = TypeVar("W")
Reader = Callable[[object, str], V]
Readers = Mapping[str, Reader[Any]]
ABSENT: Final = object()
"""The value of a key that is not there."""
_SHOWN = 80


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a document."""

    key: str
    value: object
    said: str

    def __str__(self) -> str:
        key = self.key or "it"
        return f"{key} {self.said}" if self.value is ABSENT else f"{key} is {self.value!r:.{_SHOWN}}, and {self.said}"

    @property
    def shown(self) -> str:
        """Its value for people, and not too much of it."""
        return "" if self.value is ABSENT else f"{self.value!s:.{_SHOWN}}"


class DocumentInvalid(ValueError):
    """All that is wrong in a document, or in a part of it."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class Gathering:
    """Has reading go on after a mistake, so that all are found."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    @contextmanager
    def part(self) -> Iterator[None]:
        """What goes wrong within is remembered, and the rest of the part left out."""
        try:
            yield
        except DocumentInvalid as error:
            self.mistakes += error.mistakes

    def end(self) -> None:
        """Raise what went wrong."""
        if self.mistakes:
            raise DocumentInvalid(self.mistakes)


def wrong(key: str, value: object, allowed: str) -> DocumentInvalid:
    """What to raise when the value of a key is not what is allowed."""
    return refused(key, value, f"must be {allowed}")


def refused(key: str, value: object, said: str) -> DocumentInvalid:
    """What to raise when a value is of the right kind, and yet will not do."""
    return DocumentInvalid([Mistake(key, value, said)])


def number(low: float, high: float) -> Reader[float]:
    """A number within these bounds."""

    def read(value: object, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise wrong(key, value, f"a number from {low:g} to {high:g}")
        return float(value)

    return read


def whole(low: int, high: int) -> Reader[int]:
    """A whole number within these bounds."""

    def read(value: object, key: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise wrong(key, value, f"a whole number from {low} to {high}")
        return value

    return read


def seconds(most: float) -> Reader[float]:
    """A time that somebody can wait for: some, and no more than `most`."""

    def read(value: object, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            raise wrong(key, value, f"seconds above 0, at most {most:g}")
        return value

    return read


def text(value: object, key: str) -> str:
    """Some text."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(key, value, "text")
    return value


def matching(pattern: str, allowed: str) -> Reader[str]:
    """Text of a certain form."""
    compiled = re.compile(pattern)

    def read(value: object, key: str) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise wrong(key, value, allowed)
        return value

    return read


def moment(value: str) -> datetime:
    """An RFC 3339 time, in UTC; one that does not say where it is meant for UTC. Raises ValueError."""
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(f"{value} lies outside the calendar in UTC") from error


def optional(reader: Reader[V]) -> Reader[V | None]:
    """What the reader reads, or null."""

    def read(value: object, key: str) -> V | None:
        return None if value is None else reader(value, key)

    return read


def one_of(choices: Collection[object]) -> Reader[Any]:
    """One of few values."""
    told = "one of " + ", ".join("null" if one is None else str(one) for one in choices)

    def read(value: object, key: str) -> Any:  # noqa: ANN401 - whatever the choices are
        if value not in tuple(choices):
            raise wrong(key, value, told)
        return value

    return read


def or_word(word: str, reader: Reader[V]) -> Reader[V | str]:
    """What the reader reads, or this word."""

    def read(value: object, key: str) -> V | str:
        try:
            return word if value == word else reader(value, key)
        except DocumentInvalid as error:
            raise DocumentInvalid([Mistake(m.key, m.value, f'{m.said}, or "{word}"') for m in error.mistakes]) from None

    return read


def listed(reader: Reader[V], of: str) -> Reader[tuple[V, ...]]:
    """A list of which each value is read alike; `of` is what it is a list of."""

    def read(value: object, key: str) -> tuple[V, ...]:
        if not isinstance(value, list | tuple):
            raise wrong(key, value, f"a list of {of}")
        found, read = Gathering(), []
        for place, one in enumerate(value):
            with found.part():
                read.append(reader(one, f"{key}[{place}]"))
        found.end()
        return tuple(read)

    return read


def made(make: Callable[[V], W], reader: Reader[V]) -> Reader[W]:
    """What is made of what the reader reads."""

    def read(value: object, key: str) -> W:
        return make(reader(value, key))

    return read


def mapping(value: object, key: str) -> dict[str, Any]:
    """An object, whatever is in it."""
    if not isinstance(value, dict):
        raise wrong(key, value, "an object")
    return value


def each(reader: Reader[V]) -> Reader[dict[str, V]]:
    """An object of which each value is read alike."""

    def read(value: object, key: str) -> dict[str, V]:
        found, read = Gathering(), {}
        for name, entry in mapping(value, key).items():
            with found.part():
                read[name] = reader(entry, f"{key}.{name}")
        found.end()
        return read

    return read


def keyed(readers: Readers, *, required: Collection[str] = (), notes: Collection[str] = ()) -> Reader[dict[str, Any]]:
    """An object with a reader for each key: what was read of those that are there. `notes` are for people, and not
    read."""

    def read(value: object, key: str) -> dict[str, Any]:
        given = mapping(value, key)
        prefix = f"{key}." if key else ""
        found, read = Gathering(), {}
        found.mistakes += unknown_keys({name: given[name] for name in given if name not in notes}, prefix, readers)
        for name, reader in readers.items():
            with found.part():
                if name in given:
                    read[name] = reader(given[name], f"{prefix}{name}")
                elif name in required:
                    raise refused(f"{prefix}{name}", ABSENT, "is missing")
        found.end()
        return read

    return read


def unknown_keys(given: Mapping[str, object], prefix: str, known: Collection[str]) -> list[Mistake]:
    """The keys that would do nothing, each with the one that may have been meant."""
    mistakes = []
    for name in given.keys() - set(known):
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        said = f"is not a known key; {hint}known: {', '.join(known)}"
        mistakes.append(Mistake(f"{prefix}{name}", given[name], said))
    return sorted(mistakes, key=lambda mistake: mistake.key)


def shaped(shape: Callable[..., V], readers: Readers, *, notes: Collection[str] = ()) -> Reader[V]:
    """A dataclass out of an object with a reader for each key; what is left out has its default, if there is one."""
    kind: Any = shape
    required = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    values = keyed(readers, required=required, notes=notes)

    def read(value: object, key: str) -> V:
        return shape(**values(value, key))

    return read
