"""A member's bytes out of an open archive. Blocks as long as a share hangs; several threads may call it."""

import os
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from windmill.core.errors import WindmillError
from windmill.media.archive import tar_headers, zip_directory
from windmill.media.archive.members import BadArchive, Member, MemberTable, ReadAt, Refused

MAX_TABLE_BYTES = 32 * 1024 * 1024
"""For all tables of a process together, except that the one in use is always kept. Enough for two thousand shards of a
thousand members."""
_SEPARATOR = re.compile(r"\.(tar|zip)#", re.IGNORECASE)


class Form(Protocol):
    """What is to be known of a kind of archive; the modules `tar_headers` and `zip_directory` are two."""

    def members(self, read: ReadAt, length: int) -> Iterator[Member | Refused]:
        """All files, one after the other."""

    def member_at(self, read: ReadAt, place: int, length: int) -> Member | Refused | None:
        """The file that is described there."""


class Parts(NamedTuple):
    """An archive and a name in it."""

    archive: str
    name: str


def split(location: str) -> Parts | None:
    """The archive and the member that a location means, if there is such an archive; a folder may be called so too."""
    for separator in _SEPARATOR.finditer(location):
        archive = location[: separator.end() - 1]
        if os.path.isfile(archive):  # noqa: PTH113 - a Path could not hold every location
            return Parts(archive, location[separator.end() :])
    return None


class ArchiveReader:
    """Reads members by name. The first read of an archive goes through its headers; what is learnt of where members are
    is kept for some archives, and forgotten when the file has changed."""

    def __init__(self, max_table_bytes: int = MAX_TABLE_BYTES) -> None:
        self._max_table_bytes = max_table_bytes
        self._tables: OrderedDict[tuple[int, ...], MemberTable] = OrderedDict()
        self._lock = threading.Lock()
        self._building: dict[tuple[int, ...], threading.Lock] = {}

    def members(self, path: str, descriptor: int) -> Iterator[Member | Refused]:
        """All files of an open archive, one after the other."""
        return _form(path).members(_reader(descriptor), os.fstat(descriptor).st_size)

    def read(self, path: str, descriptor: int, name: str, most: int) -> bytes:
        """The bytes of a member. `path` says which kind of archive it is, and is shown."""
        try:
            return self.content(path, descriptor, self._member(path, descriptor, name), most)
        except BadArchive as error:
            raise WindmillError("IMAGE_UNREADABLE", f"{path} {error}") from error

    def content(self, path: str, descriptor: int, member: Member, most: int) -> bytes:
        """The bytes of a member that was found."""
        shown = f"{path}#{member.name}"
        if member.size > most:
            raise _too_large(f"{shown} has {member.size} bytes", most)
        read = _reader(descriptor)
        if member.crc is None:
            data = read(member.start, member.stored)
        else:
            data = zip_directory.content(read, member, most)
            if len(data) > most:
                raise _too_large(f"{shown} unfolds into more bytes than it says", most)
        damaged = member.crc is not None and zlib.crc32(data) != member.crc
        if damaged or len(data) != member.size:
            raise WindmillError("IMAGE_UNREADABLE", f"{shown} is cut short or damaged", "make the archive anew")
        return data

    def head(self, descriptor: int, member: Member, count: int) -> bytes:
        """The first bytes of a member, and nothing checked."""
        read = _reader(descriptor)
        if member.crc is None:
            return read(member.start, min(count, member.stored))
        return zip_directory.head(read, member, count)

    def _member(self, path: str, descriptor: int, name: str) -> Member:
        state = os.fstat(descriptor)
        read, form = _reader(descriptor), _form(path)
        for place in self._table(path, descriptor, state).places(name):
            found = form.member_at(read, place, state.st_size)
            if found and found.name == name:
                return _accepted(found, path)
        raise WindmillError("IMAGE_NOT_FOUND", f"{path} has no member {name}")

    def _table(self, path: str, descriptor: int, state: os.stat_result) -> MemberTable:
        """Made by one thread for each archive; reads of others go on meanwhile."""
        key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        with self._lock:
            if table := self._tables.get(key):
                self._tables.move_to_end(key)
                return table
            building = self._building.setdefault(key, threading.Lock())
        with building:
            with self._lock:
                if table := self._tables.get(key):
                    return table
            table = MemberTable.of(self.members(path, descriptor))
            self._keep(key, table)
        return table

    def _keep(self, key: tuple[int, ...], table: MemberTable) -> None:
        with self._lock:
            self._tables[key] = table
            self._building.pop(key, None)
            while len(self._tables) > 1 and sum(one.size for one in self._tables.values()) > self._max_table_bytes:
                self._tables.popitem(last=False)


def _form(path: str) -> Form:
    return zip_directory if path.lower().endswith(".zip") else tar_headers


def _reader(descriptor: int) -> ReadAt:
    return lambda at, count: os.pread(descriptor, count, at)


def _accepted(found: Member | Refused, path: str) -> Member:
    if isinstance(found, Refused):
        remedy = "only plain files inside the archive are read"
        raise WindmillError("IMAGE_FORBIDDEN", f"{path}#{found.name} {found.reason}", remedy)
    return found


def _too_large(said: str, most: int) -> WindmillError:
    remedy = "shrink the image, or raise MAX_IMAGE_BYTES"
    return WindmillError("IMAGE_TOO_LARGE", f"{said}, over MAX_IMAGE_BYTES={most}", remedy)
