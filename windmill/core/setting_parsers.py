"""Parsers for the text of settings, one for each kind of value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from windmill.core.paths import user_or_packaged_file
from windmill.kernels.net.private_hosts import parse_allowed_host
from windmill.kernels.net.server_addresses import parse_addresses
from windmill.kernels.net.store_urls import DAV_SCHEMES, StoreUrl, allowed_store, parsed

Concurrency = int | Literal["auto"]


class InvalidValue(ValueError):
    """The value is not allowed; the message says what is."""


def text(value: str) -> str:
    return value


def non_empty(value: str) -> str:
    if not value.strip():
        raise InvalidValue("must not be empty")
    return value


def servers(value: str) -> str:
    """The text unchanged, once validated: parsing it needs the default port, which is another setting."""
    non_empty(value)
    if "://" in value or "@" in value:
        raise InvalidValue("must be hosts without scheme, user and password; those have settings of their own")
    try:
        parse_addresses(value, 1)
    except ValueError as error:
        raise InvalidValue(f"must be hosts such as a.example,b.example:1234,[fd00::1]; {error}") from error
    return value


def within(convert: Callable[[str], float], low: float, high: float, what: str) -> Callable[[str], Any]:
    def parse(value: str) -> float:
        try:
            number = convert(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise InvalidValue(f"must be {what} from {low} to {high}")
        return number

    return parse


def integer(low: int, high: int) -> Callable[[str], Any]:
    return within(int, low, high, "a whole number")


def calls_at_a_time(value: str) -> Concurrency:
    try:
        return "auto" if value == "auto" else int(integer(0, 1_000)(value))
    except InvalidValue as error:
        raise InvalidValue(f"{error}, or auto") from error


def seconds(low: float, high: float) -> Callable[[str], Any]:
    return within(float, low, high, "seconds")


def one_of(*allowed: str) -> Callable[[str], Any]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise InvalidValue(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered in {"true", "yes", "on", "1"}:
        return True
    if lowered in {"false", "no", "off", "0"}:
        return False
    raise InvalidValue("must be true or false")


def delays(value: str) -> tuple[float, ...]:
    parse = seconds(0.001, 86_400)
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise InvalidValue("must be seconds separated by commas, such as 5,10,20")
    return tuple(parse(part) for part in parts)


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def hosts(value: str) -> tuple[str, ...]:
    try:
        return tuple(parse_allowed_host(entry) for entry in names(value))
    except ValueError as error:
        raise InvalidValue(
            f"must be host names, addresses or networks such as nas.local,10.0.0.7,10.1.0.0/16; {error}"
        ) from error


def stores(value: str) -> tuple[str, ...]:
    try:
        return tuple(allowed_store(entry) for entry in names(value))
    except ValueError as error:
        raise InvalidValue(
            f"must be buckets or folders in them such as s3://photos,gs://more/2026; one {error}"
        ) from error


def endpoint(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise InvalidValue("must begin with http:// or https://, or be empty")
    return value.rstrip("/")


def emulator(value: str) -> str:
    """The clients of Google take a host without a scheme, too."""
    return endpoint(value if not value or "://" in value else f"http://{value}")


@dataclass(frozen=True)
class PathParser:
    """A parser for a path. The reader of all settings passes in the folder that relative paths start from."""

    read: Callable[[str, Path], object]


def _path(value: str, home: Path) -> Path:
    """A path relative to the home folder, so that every process resolves it alike."""
    try:
        return home / Path(non_empty(value)).expanduser()
    except RuntimeError as error:
        raise InvalidValue("must be a path; its ~ names an unknown user") from error


_FOLDER_OR_STORE = "must be a folder, or a bucket such as s3://bucket/prefix, gs://... or az://..."
_HALF_FILES = "a WebDAV server shows files that are half written, so it holds no artifacts: mount it, name the folder"


def _folder_or_store(value: str, home: Path) -> Path | StoreUrl:
    """A folder, or a bucket and the part of it to use."""
    if "://" not in value:
        return _path(value, home)
    try:
        place = parsed(value)
    except ValueError as error:
        raise InvalidValue(f"{_FOLDER_OR_STORE}; it {error}") from error
    if place.scheme in DAV_SCHEMES:
        raise InvalidValue(f"{_FOLDER_OR_STORE}; {_HALF_FILES}")
    return place


def _optional_file(value: str, home: Path) -> Path | None:
    if not value.strip():
        return None
    if not _path(value, home).is_file():
        raise InvalidValue("must name a file that exists, or be empty")
    return _path(value, home)


def _own_or_shipped(value: str, home: Path) -> Path:
    """The user's own file if it exists, else the one that ships with Windmill."""
    _path(value, home)
    return user_or_packaged_file(Path(value).expanduser(), home)


path = PathParser(_path)
optional_file = PathParser(_optional_file)
folder_or_store = PathParser(_folder_or_store)
own_or_shipped = PathParser(_own_or_shipped)
