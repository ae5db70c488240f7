"""Where images are listed: folders, single files, lists of paths or URLs, CSV tables, COCO annotations.

Every source is read as it is needed, so a source of any length takes the same memory.
"""

import csv
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from yarl import URL

from windmill.core.errors import WindmillError, unreadable_file
from windmill.core.messages import Job, encode
from windmill.media.image import looks_like_image, may_name

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
PATH_COLUMNS = ("image_path", "path", "file", "file_name", "filename")
URL_COLUMNS = ("image_url", "url", "coco_url", "flickr_url")
SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class Border:
    """What workers may read: files below `root`, and of the hosts that are not public those `allowed`."""

    root: Path
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """One image that can be registered."""

    image_filename: str
    image_path: str | None
    image_url: str | None
    image_group: str | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """One entry that cannot, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """One file of a folder that does not claim to be an image."""

    suffix: str


Entry = Found | Bad | Ignored


def entries(argument: str, stdin: TextIO, border: Border) -> Iterator[Entry]:
    """The images behind one argument of the command line, as far as workers may read them."""
    return _checked(_entries(argument, stdin, border), argument)


def _checked(found: Iterator[Entry], argument: str) -> Iterator[Entry]:
    """Each entry as it can be registered and published; an unreadable source is the user's mistake."""
    empty = True
    try:
        for entry in found:
            empty = empty and isinstance(entry, Ignored)
            yield _sendable(entry)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        code = unreadable_file(error)
        raise WindmillError(code, f"{argument} cannot be read: {error}", "name a readable one") from error
    if empty:
        yield _sendable(Bad(argument, "no image found in it"))


def _entries(argument: str, stdin: TextIO, border: Border) -> Iterator[Entry]:
    if argument == "-":
        return _listed(stdin, Path.cwd(), border)
    if _is_url(argument):
        return iter([_url(argument, border)])
    path = Path(argument)
    if stat.S_ISDIR(_mode(path)):
        return _folder(path, border)
    if not stat.S_ISREG(_mode(path)):
        raise WindmillError("NOT_FOUND", f"there is no file or folder {argument!r}", "name one that exists")
    readers: dict[str, Callable[[Path, Border], Iterator[Entry]]] = {".csv": _csv, ".json": _coco, ".txt": _list_file}
    reader = readers.get(path.suffix.lower())
    return reader(path, border) if reader else iter([_file(path, border)])


def _folder(folder: Path, border: Border) -> Iterator[Entry]:
    """All files below a folder. Links to folders are not followed: they may lead in a circle."""
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    yield from _folder(Path(entry.path), border)
                elif entry.is_symlink() and stat.S_ISDIR(_mode(Path(entry.path))):
                    yield Bad(entry.path, "is a link to a folder; name the folder itself")
                else:
                    suffix = Path(entry.name).suffix.lower()
                    yield _file(Path(entry.path), border) if suffix in EXTENSIONS else Ignored(_kind(suffix))
    except OSError as error:
        yield Bad(str(folder), f"cannot be listed: {error.strerror}")


def _kind(suffix: str) -> str:
    """A number is no kind of file: numbered files would make as many kinds as there are files."""
    return "" if suffix[1:].isdigit() else suffix


def _list_file(path: Path, border: Border) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        yield from _listed(lines, path.parent, border)


def _listed(lines: TextIO, base: Path, border: Border) -> Iterator[Entry]:
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            yield _place(text, base, border)


def _place(text: str, base: Path, border: Border) -> Found | Bad:
    return _url(text, border) if _is_url(text) else _file(base / text, border)


def _csv(path: Path, border: Border) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = file.readline()
        reader = csv.DictReader(chain([header], file), delimiter=_separator(header))
        if not _has_place(reader.fieldnames or ()):
            raise WindmillError(
                "USAGE",
                f"{path} has no column with a path or URL: {', '.join(reader.fieldnames or ())}",
                f"name one of its columns {', '.join((*PATH_COLUMNS, *URL_COLUMNS))}",
            )
        for number, row in enumerate(reader, start=2):
            yield _record(row, path.parent, border, f"{path.name}, line {number}")


def _separator(header: str) -> str:
    """The one that makes known columns of the header line; a comma where none does."""
    fitting = (mark for mark in SEPARATORS if _has_place(next(csv.reader([header], delimiter=mark), [])))
    return next(fitting, ",")


def _has_place(columns: Iterable[str]) -> bool:
    return not {*PATH_COLUMNS, *URL_COLUMNS}.isdisjoint(columns)


def _coco(path: Path, border: Border) -> Iterator[Entry]:
    """The `images` of a COCO document; a file name is looked for beside the document."""
    try:
        images = list(json.loads(path.read_text(encoding="utf-8-sig"))["images"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WindmillError(
            "USAGE", f"{path} is not a COCO document ({error!r})", 'it must be an object with "images"'
        ) from error
    for number, image in enumerate(images):
        yield _record(image, path.parent, border, f"{path.name}, image {number}")


def _record(row: Any, base: Path, border: Border, where: str) -> Entry:  # noqa: ANN401 - as the file has it
    """One row of a table: a path wins over a URL; width, height, group and name where they are given."""
    if not isinstance(row, dict):
        return Bad(where, "is not an object")
    path, url = _first(row, PATH_COLUMNS), _first(row, URL_COLUMNS)
    if not path and not url:
        return Bad(where, "has neither a path nor a URL")
    entry = _place(path, base, border) if path and not (url and not _mode(base / path)) else _url(url or "", border)
    if isinstance(entry, Bad):
        return Bad(f"{where}: {entry.name}", entry.reason)
    return Found(
        _first(row, ("image_filename",)) or entry.image_filename,
        entry.image_path,
        entry.image_url,
        _first(row, ("image_group", "group")),
        _size(row.get("width")),
        _size(row.get("height")),
    )


def _first(row: dict[str, Any], columns: tuple[str, ...]) -> str | None:
    return next((str(row[column]).strip() for column in columns if row.get(column)), None)


def _size(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 2**31 else None


def _file(path: Path, border: Border) -> Found | Bad:
    """A file that is there, lies where workers may read, and begins as an image does."""
    try:
        real = path.resolve()
        if not stat.S_ISREG(real.stat().st_mode):
            return Bad(str(path), "is not a file")  # and opening a named pipe would wait for ever
        with real.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        return Bad(str(path), getattr(error, "strerror", None) or str(error))
    if not real.is_relative_to(border.root):
        return Bad(str(path), f"lies outside IMAGE_ROOT={border.root}")
    if not looks_like_image(head):
        return Bad(str(path), "does not begin as an image" if head else "is empty")
    return Found(real.name, str(real), None)


def _url(url: str, border: Border) -> Found | Bad:
    """A URL that may be fetched, as far as that is known before its host is asked for."""
    try:
        parsed, path = URL(url), urlsplit(url).path
    except ValueError as error:
        return Bad(url, str(error))
    host = parsed.raw_host
    if parsed.scheme not in ("http", "https") or not host:
        return Bad(url, "is not an http or https URL")
    if not may_name(host, border.allowed):
        return Bad(url, f"{host} is not a public address; workers fetch from it if IMAGE_URL_ALLOW names it")
    return Found(Path(path).name or url, None, url)


def _is_url(text: str) -> bool:
    return "://" in text


def _mode(path: Path) -> int:
    """What lies at a path; 0 for nothing, also where the path cannot be one because it is too long."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _sendable(entry: Entry) -> Entry:
    """What could never be stored or published must not be registered: it would stop every producer to come."""
    if isinstance(entry, Ignored):
        return Ignored(_printable(entry.suffix))
    if isinstance(entry, Bad):
        return Bad(_printable(entry.name), _printable(entry.reason))
    name = _printable(entry.image_path or entry.image_url or "")
    texts = (entry.image_filename, entry.image_path, entry.image_url, entry.image_group)
    if not all(_storable(text) for text in texts if text):
        return Bad(name, "its name holds NUL or is not valid UTF-8")
    latest = datetime.max.replace(tzinfo=UTC)
    try:
        encode(Job(2**63 - 1, entry.image_filename, entry.image_path, entry.image_url, latest, "0" * 32))
    except WindmillError:
        return Bad(name, "is too long a name for a message")
    return entry


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _storable(text: str) -> bool:
    """Linux file names may be any bytes; the database and JSON take Unicode only, and the database no NUL."""
    return "\x00" not in text and _printable(text) == text
