"""Where images are listed: folders, single files, lists of paths or URLs, CSV tables, COCO annotations.

Every source is read as it is needed, so a source of any length takes the same memory.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from windmill.errors import WindmillError
from windmill.image_source import looks_like_image

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
    if argument == "-":
        return _listed(stdin, Path.cwd(), root)
    if _is_url(argument):
        return iter([_url(argument)])
    path = Path(argument)
    if path.is_dir():
        return _folder(path, root)
    if not path.is_file():
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
    with path.open(encoding="utf-8", errors="replace") as lines:
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
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
    except (ValueError, KeyError, TypeError) as error:
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
    entry = _file(base / path, root) if path and not (url and not (base / path).exists()) else _url(url or "")
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
        with real.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError) as error:
        return Bad(str(path), getattr(error, "strerror", None) or str(error))
    if not real.is_relative_to(root):
        return Bad(str(path), f"lies outside IMAGE_ROOT={root}")
    if not looks_like_image(head):
        return Bad(str(path), "does not begin as an image" if head else "is empty")
    if not _storable(str(real)):
        return Bad(ascii(str(path)), "its name is not valid UTF-8")
    return Found(real.name, str(real), None)


def _url(url: str) -> Entry:
    if not _is_url(url) or not urlsplit(url).hostname:
        return Bad(url, "is not an http or https URL")
    return Found(Path(urlsplit(url).path).name or url, None, url)


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _storable(text: str) -> bool:
    """Linux file names may be any bytes; the database and JSON take Unicode only."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
