"""Listing images to register: folders, single files, archives, object stores, WebDAV servers, lists of paths or URLs,
CSV tables, COCO annotations.

Entries are read lazily, so that memory does not grow with their number; only a COCO document is loaded whole.
"""

import csv
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from yarl import URL

from windmill.core.errors import WindmillError, unreadable_file
from windmill.core.messages import Job, encode
from windmill.kernels.media.sample import HEAD_BYTES, sample_of
from windmill.kernels.net.private_hosts import host_allowed
from windmill.kernels.net.store_urls import StoreUrl, is_store_url, unknown_scheme
from windmill.media.image.source import looks_like_image
from windmill.submit.archive_listing import ARCHIVES, list_archive, must_not_be_compressed
from windmill.submit.entry_types import EXTENSIONS, BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, kind
from windmill.submit.store_listing import list_store, stored_object

__all__ = ["BadEntry", "Entry", "FoundImage", "IgnoredFile", "ImageAccess", "list_entries"]

PATH_COLUMNS = ("image_path", "path", "file", "file_name", "filename")
URL_COLUMNS = ("image_url", "url", "coco_url", "flickr_url")
SEPARATORS = ",;\t"


def list_entries(argument: str, stdin: TextIO, access: ImageAccess) -> Iterator[Entry]:
    """The entries of one command line argument, checked against what workers may read."""
    return _checked(_entries(argument, stdin, access), argument)


def _checked(found: Iterator[Entry], argument: str) -> Iterator[Entry]:
    """Check each entry; an unreadable source is a usage error."""
    empty = True
    try:
        for entry in found:
            empty = empty and isinstance(entry, IgnoredFile)
            yield _publishable(entry)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        code = unreadable_file(error)
        raise WindmillError(code, f"{argument} cannot be read: {error}", "name a readable one") from error
    if empty:
        yield _publishable(BadEntry(argument, "no image found in it"))


def _entries(argument: str, stdin: TextIO, access: ImageAccess) -> Iterator[Entry]:
    if argument == "-":
        return _listed(stdin, Path.cwd(), access)
    if is_store_url(argument):
        return list_store(argument, access)
    if place := _behind(argument, access):
        return list_store(str(place), access)
    if _is_url(argument):
        return iter([_url(argument, access)])
    path = Path(argument)
    if stat.S_ISDIR(_mode(path)):
        return _folder(path, access)
    if not stat.S_ISREG(_mode(path)):
        raise WindmillError("NOT_FOUND", f"there is no file or folder {argument!r}", "name one that exists")
    must_not_be_compressed(path)
    readers: dict[str, Callable[[Path, ImageAccess], Iterator[Entry]]] = {
        ".csv": _csv,
        ".json": _coco,
        ".txt": _list_file,
        **dict.fromkeys(ARCHIVES, list_archive),
    }
    reader = readers.get(path.suffix.lower())
    return reader(path, access) if reader else iter([_file(path, access)])


def _folder(folder: Path, access: ImageAccess) -> Iterator[Entry]:
    """All files below a folder. Symbolic links to folders are not followed, as they may form a cycle."""
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    yield from _folder(Path(entry.path), access)
                elif entry.is_symlink() and stat.S_ISDIR(_mode(Path(entry.path))):
                    yield BadEntry(entry.path, "is a link to a folder; name the folder itself")
                else:
                    suffix = kind(entry.name)
                    yield _file(Path(entry.path), access) if suffix in EXTENSIONS else IgnoredFile(suffix)
    except OSError as error:
        yield BadEntry(str(folder), f"cannot be listed: {error.strerror}")


def _list_file(path: Path, access: ImageAccess) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        yield from _listed(lines, path.parent, access)


def _listed(lines: TextIO, base: Path, access: ImageAccess) -> Iterator[Entry]:
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            yield _path_or_url(text, base, access)


def _path_or_url(text: str, base: Path, access: ImageAccess) -> FoundImage | BadEntry:
    return _url(text, access) if _is_url(text) else _file(base / text, access)


def _csv(path: Path, access: ImageAccess) -> Iterator[Entry]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = file.readline()
        reader = csv.DictReader(chain([header], file), delimiter=_separator(header))
        if not _has_path_or_url(reader.fieldnames or ()):
            raise WindmillError(
                "USAGE",
                f"{path} has no column with a path or URL: {', '.join(reader.fieldnames or ())}",
                f"name one of its columns {', '.join((*PATH_COLUMNS, *URL_COLUMNS))}",
            )
        for number, row in enumerate(reader, start=2):
            yield _record(row, path.parent, access, f"{path.name}, line {number}")


def _separator(header: str) -> str:
    """The separator with which the header has a known column; a comma by default."""
    fitting = (mark for mark in SEPARATORS if _has_path_or_url(next(csv.reader([header], delimiter=mark), [])))
    return next(fitting, ",")


def _has_path_or_url(columns: Iterable[str]) -> bool:
    return not {*PATH_COLUMNS, *URL_COLUMNS}.isdisjoint(columns)


def _coco(path: Path, access: ImageAccess) -> Iterator[Entry]:
    """The `images` of a COCO document; file names are relative to the document."""
    try:
        images = list(json.loads(path.read_text(encoding="utf-8-sig"))["images"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WindmillError(
            "USAGE", f"{path} is not a COCO document ({error!r})", 'it must be an object with "images"'
        ) from error
    for number, image in enumerate(images):
        yield _record(image, path.parent, access, f"{path.name}, image {number}")


def _record(row: Any, base: Path, access: ImageAccess, where: str) -> Entry:  # noqa: ANN401 - as the file has it
    """One row of a table: a path takes precedence over a URL; width, height, group and name are optional."""
    if not isinstance(row, dict):
        return BadEntry(where, "is not an object")
    path, url = _first(row, PATH_COLUMNS), _first(row, URL_COLUMNS)
    if not path and not url:
        return BadEntry(where, "has neither a path nor a URL")
    entry = (
        _path_or_url(path, base, access) if path and not (url and not _mode(base / path)) else _url(url or "", access)
    )
    if isinstance(entry, BadEntry):
        return BadEntry(f"{where}: {entry.name}", entry.reason)
    return FoundImage(
        _first(row, ("image_filename",)) or entry.image_filename,
        entry.image_path,
        entry.image_url,
        _first(row, ("image_group", "group")),
        _size(row.get("width")),
        _size(row.get("height")),
        entry.sample,
    )


def _first(row: dict[str, Any], columns: tuple[str, ...]) -> str | None:
    return next((str(row[column]).strip() for column in columns if row.get(column)), None)


def _size(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 2**31 else None


def _file(path: Path, access: ImageAccess) -> FoundImage | BadEntry:
    """Check that the file exists, lies below IMAGE_ROOT and starts like an image."""
    try:
        real = path.resolve()
        if not stat.S_ISREG(real.stat().st_mode):
            return BadEntry(str(path), "is not a file")  # opening a named pipe would block
        with real.open("rb") as file:
            size, head = os.fstat(file.fileno()).st_size, file.read(HEAD_BYTES)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a cycle of links
        return BadEntry(str(path), getattr(error, "strerror", None) or str(error))
    if not real.is_relative_to(access.root):
        return BadEntry(str(path), f"lies outside IMAGE_ROOT={access.root}")
    if not looks_like_image(head):
        return BadEntry(str(path), "does not begin as an image" if head else "is empty")
    return FoundImage(real.name, str(real), None, sample=sample_of(size, head))


def _url(url: str, access: ImageAccess) -> FoundImage | BadEntry:
    """Check that workers may fetch the URL, as far as that is known before DNS is queried."""
    if is_store_url(url):
        return stored_object(url, access)
    if place := _behind(url, access):
        return stored_object(str(place), access)
    try:
        parsed, path = URL(url), urlsplit(url).path
    except ValueError as error:
        return BadEntry(url, str(error))
    host = parsed.raw_host
    if parsed.scheme not in ("http", "https"):
        return BadEntry(url, unknown_scheme(url))
    if not host:
        return BadEntry(url, "names no host")
    if not host_allowed(host, access.allowed):
        return BadEntry(url, f"{host} is not a public address; workers fetch from it if IMAGE_URL_ALLOW names it")
    return FoundImage(Path(path).name or url, None, url)


def _behind(url: str, access: ImageAccess) -> StoreUrl | None:
    """What a URL of the web means in a store that may be read: there it is registered once, however it is written."""
    return access.stores.behind(url) if access.stores and _is_url(url) else None


def _is_url(text: str) -> bool:
    return "://" in text


def _mode(path: Path) -> int:
    """The mode of a file; 0 if there is none, or the path is invalid."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _publishable(entry: Entry) -> Entry:
    """Reject what cannot be stored or published: once registered, it would stop every producer."""
    if isinstance(entry, IgnoredFile):
        return IgnoredFile(_printable(entry.suffix))
    if isinstance(entry, BadEntry):
        return BadEntry(_printable(entry.name), _printable(entry.reason))
    name = _printable(entry.image_path or entry.image_url or "")
    texts = (entry.image_filename, entry.image_path, entry.image_url, entry.image_group)
    if not all(_storable(text) for text in texts if text):
        return BadEntry(name, "its name holds NUL or is not valid UTF-8")
    latest = datetime.max.replace(tzinfo=UTC)
    try:
        encode(Job(2**63 - 1, entry.image_filename, entry.image_path, entry.image_url, latest, "0" * 32))
    except WindmillError:
        return BadEntry(name, "is too long a name for a message")
    return entry


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _storable(text: str) -> bool:
    """File names may be any bytes; the database and JSON need valid Unicode, and the database no NUL."""
    return "\x00" not in text and _printable(text) == text
