"""Where images are listed: folders, single files, lists of paths or URLs, CSV tables, COCO annotations.

Every source is read as it is needed, so a source of any length takes the same memory.
"""

import csv
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from windmill.errors import WindmillError
from windmill.image_source import looks_like_image
from windmill.messages import Job, encode

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
PATH_COLUMNS = ("image_path", "path", "file", "file_name", "filename")
URL_COLUMNS = ("image_url", "url", "coco_url", "flickr_url")


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


Entry = Found | Bad


def entries(argument: str, stdin: TextIO, *, root: Path) -> Iterator[Entry]:
    """The images behind one argument of the command line; files must lie under `root`."""
    return _checked(_entries(argument, stdin, root), argument)


def _checked(found: Iterator[Entry], argument: str) -> Iterator[Entry]:
    """Each entry as it can be registered and published; an unreadable source is the user's mistake."""
    try:
        for entry in found:
            yield _sendable(entry)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WindmillError("CONFIG_INVALID", f"{argument} cannot be read: {error}", "name a readable one") from error


def _entries(argument: str, stdin: TextIO, root: Path) -> Iterator[Entry]:
    if argument == "-":
        return _listed(stdin, Path.cwd(), root)
    if _is_url(argument):
        return iter([_url(argument)])
    path = Path(argument)
    if stat.S_ISDIR(_mode(path)):
        return _folder(path, root)
    if not stat.S_ISREG(_mode(path)):
        raise WindmillError("CONFIG_INVALID", f"there is no file or folder {argument!r}", "name one that exists")
    readers: dict[str, Callable[[Path, Path], Iterator[Entry]]] = {".csv": _csv, ".json": _coco, ".txt": _list_file}
    reader = readers.get(path.suffix.lower())
    return reader(path, root) if reader else iter([_file(path, root)])


def _folder(folder: Path, root: Path) -> Iterator[Entry]:
    """All image files below a folder; other files are none of our business."""
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    yield from _folder(Path(entry.path), root)
                elif Path(entry.name).suffix.lower() in EXTENSIONS:
                    yield _file(Path(entry.path), root)
    except OSError as error:
        yield Bad(str(folder), f"cannot be listed: {error.strerror}")


def _list_file(path: Path, root: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        yield from _listed(lines, path.parent, root)


def _listed(lines: TextIO, base: Path, root: Path) -> Iterator[Entry]:
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            yield _url(text) if _is_url(text) else _file(base / text, root)


def _csv(path: Path, root: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        if not {*PATH_COLUMNS, *URL_COLUMNS} & {*(reader.fieldnames or ())}:
            raise WindmillError(
                "CONFIG_INVALID",
                f"{path} has no column with a path or URL: {', '.join(reader.fieldnames or ())}",
                f"name one of its columns {', '.join((*PATH_COLUMNS, *URL_COLUMNS))}",
            )
        for number, row in enumerate(reader, start=2):
            yield _record(row, path.parent, root, f"{path.name}, line {number}")


def _coco(path: Path, root: Path) -> Iterator[Entry]:
    """The `images` of a COCO document; a file name is looked for beside the document."""
    try:
        images = list(json.loads(path.read_text(encoding="utf-8-sig"))["images"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WindmillError(
            "CONFIG_INVALID", f"{path} is not a COCO document ({error!r})", 'it must be an object with "images"'
        ) from error
    for number, image in enumerate(images):
        yield _record(image, path.parent, root, f"{path.name}, image {number}")


def _record(row: Any, base: Path, root: Path, where: str) -> Entry:  # noqa: ANN401 - as the file has it
    """One row of a table: a path wins over a URL; width, height, group and name where they are given."""
    if not isinstance(row, dict):
        return Bad(where, "is not an object")
    path, url = _first(row, PATH_COLUMNS), _first(row, URL_COLUMNS)
    entry = _file(base / path, root) if path and not (url and not _mode(base / path)) else _url(url or "")
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


def _file(path: Path, root: Path) -> Entry:
    """A file that is there, lies where workers may read, and begins as an image does."""
    try:
        real = path.resolve()
        if not stat.S_ISREG(real.stat().st_mode):
            return Bad(str(path), "is not a file")  # and opening a named pipe would wait for ever
        with real.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        return Bad(str(path), getattr(error, "strerror", None) or str(error))
    if not real.is_relative_to(root):
        return Bad(str(path), f"lies outside IMAGE_ROOT={root}")
    if not looks_like_image(head):
        return Bad(str(path), "does not begin as an image" if head else "is empty")
    return Found(real.name, str(real), None)


def _url(url: str) -> Entry:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return Bad(url, str(error))
    if not _is_url(url) or not parts.hostname:
        return Bad(url, "is not an http or https URL")
    return Found(Path(parts.path).name or url, None, url)


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _mode(path: Path) -> int:
    """What lies at a path; 0 for nothing, also where the path cannot be one because it is too long."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _sendable(entry: Entry) -> Entry:
    """What could never be stored or published must not be registered: it would stop every producer to come."""
    if isinstance(entry, Bad):
        return Bad(_printable(entry.name), entry.reason)
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
