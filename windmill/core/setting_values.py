"""What the text of a setting may be, and what it means: one parser for each kind of value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from windmill.core.paths import found
from windmill.kernels.text.addresses import addresses
from windmill.kernels.text.hosts import allowed_host

Concurrency = int | Literal["auto"]


class Unacceptable(ValueError):
    """The value is not allowed; the text says what is."""


def text(value: str) -> str:
    return value


def filled(value: str) -> str:
    if not value.strip():
        raise Unacceptable("must not be empty")
    return value


def servers(value: str) -> str:
    """The text as it stands: what its hosts mean depends on the setting of their port."""
    filled(value)
    try:
        addresses(value, 1)
    except ValueError as error:
        raise Unacceptable(f"must be hosts such as a.example,b.example:1234,[fd00::1]; {error}") from error
    return value


def within(convert: Callable[[str], float], low: float, high: float, what: str) -> Callable[[str], Any]:
    def parse(value: str) -> float:
        try:
            number = convert(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise Unacceptable(f"must be {what} from {low} to {high}")
        return number

    return parse


def integer(low: int, high: int) -> Callable[[str], Any]:
    return within(int, low, high, "a whole number")


def calls_at_a_time(value: str) -> Concurrency:
    try:
        return "auto" if value == "auto" else int(integer(0, 1_000)(value))
    except Unacceptable as error:
        raise Unacceptable(f"{error}, or auto") from error


def seconds(low: float, high: float) -> Callable[[str], Any]:
    return within(float, low, high, "seconds")


def one_of(*allowed: str) -> Callable[[str], Any]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise Unacceptable(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def switch(value: str) -> bool:
    lowered = value.lower()
    if lowered in {"true", "yes", "on", "1"}:
        return True
    if lowered in {"false", "no", "off", "0"}:
        return False
    raise Unacceptable("must be true or false")


def delays(value: str) -> tuple[float, ...]:
    parse = seconds(0.001, 86_400)
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise Unacceptable("must be seconds separated by commas, such as 5,10,20")
    return tuple(parse(part) for part in parts)


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def hosts(value: str) -> tuple[str, ...]:
    try:
        return tuple(allowed_host(entry) for entry in names(value))
    except ValueError as error:
        raise Unacceptable(
            f"must be host names, addresses or networks such as nas.local,10.0.0.7,10.1.0.0/16; {error}"
        ) from error


@dataclass(frozen=True)
class Located:
    """A kind of value that names a file; where a relative one is looked for, only the reader of all settings knows."""

    read: Callable[[str, Path], object]


def _path(value: str, home: Path) -> Path:
    """A path as the user means it: relative to the home folder, so that every process agrees on it."""
    try:
        return home / Path(filled(value)).expanduser()
    except RuntimeError as error:
        raise Unacceptable("must be a path; there is no such user as its ~ names") from error


def _optional_file(value: str, home: Path) -> Path | None:
    if not value.strip():
        return None
    if not _path(value, home).is_file():
        raise Unacceptable("must name a file that exists, or be empty")
    return _path(value, home)


def _own_or_shipped(value: str, home: Path) -> Path:
    """The user's own file where there is one, else the one that comes with Windmill."""
    _path(value, home)
    return found(Path(value).expanduser(), home)


path = Located(_path)
optional_file = Located(_optional_file)
own_or_shipped = Located(_own_or_shipped)
