"""The directory of a zip file, and the bytes of its members. What it claims is bounded by the length of the file, and
what it unfolds into by the limit on images."""

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from windmill.media.archive.members import BadArchive, Member, ReadAt, Refused, plain_name, refusal

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MOST_COMMENT = 0xFFFF
_ENCRYPTED, _UTF_8 = 0x1, 0x800
_STORED, _DEFLATED = 0, 8
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the entries are; `shift` is by how much all offsets are too small, as behind a program that unpacks."""

    start: int
    end: int
    shift: int


def members(read: ReadAt, length: int) -> Iterator[Member | Refused]:
    """All files of the archive in the order of its directory, and what is refused; folders are passed by. Where a
    member's bytes begin is seen only when it is read."""
    directory = _directory(read, length)
    at = directory.start
    buffered = _in_chunks(read)
    while at < directory.end:
        found, at = _entry(buffered, at, directory)
        if found:
            yield found


def member_at(read: ReadAt, place: int, length: int) -> Member | Refused | None:
    """The file whose entry in the directory begins there."""
    return _entry(read, place, _directory(read, length))[0]


def content(read: ReadAt, member: Member, most: int) -> bytes:
    """The bytes of a member, no more than `most` and one, whatever it unfolds into."""
    return _unfolded(member, read(_first_byte(read, member), min(member.stored, most + 1)), most + 1)


def head(read: ReadAt, member: Member, count: int) -> bytes:
    """The first `count` bytes. What is packed is hardly ever longer than before, so twice as many unfold into them."""
    return _unfolded(member, read(_first_byte(read, member), min(member.stored, 2 * count)), count)


def _first_byte(read: ReadAt, member: Member) -> int:
    """Behind a header of its own, whose name and extra field need not be as long as those in the directory."""
    local = read(member.start, _LOCAL.size)
    if len(local) < _LOCAL.size or not local.startswith(b"PK\3\4"):
        raise BadArchive(f"has nothing where {member.name} should be")
    name_length, extra_length = _LOCAL.unpack(local)[-2:]
    return int(member.start + _LOCAL.size + name_length + extra_length)


def _unfolded(member: Member, stored: bytes, most: int) -> bytes:
    if not member.packed:
        return stored[:most]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, most)
    except zlib.error as error:
        raise BadArchive(f"is damaged at {member.name}") from error


def _in_chunks(read: ReadAt) -> ReadAt:
    """Reads more than is asked for, for one who goes forward in small steps."""
    held, begin = b"", 0

    def buffered(at: int, count: int) -> bytes:
        nonlocal held, begin
        if not begin <= at <= at + count <= begin + len(held):
            held, begin = read(at, max(count, _CHUNK)), at
        return held[at - begin : at - begin + count]

    return buffered


def _directory(read: ReadAt, length: int) -> _Directory:
    tail_at = max(0, length - _END.size)
    tail = read(tail_at, _END.size)
    where = 0 if tail.startswith(b"PK\5\6") and tail.endswith(b"\0\0") else -1
    if where:  # a comment stands behind it
        tail_at = max(0, length - _END.size - _MOST_COMMENT)
        tail = read(tail_at, length - tail_at)
        where = tail.rfind(b"PK\5\6")
    if where < 0 or len(tail) - where < _END.size:
        raise BadArchive("is no zip file, or cut short")
    end = tail_at + where
    *_, entries, size, start, _comment = _END.unpack_from(tail, where)
    if entries == _FULL_16 or _FULL_32 in (size, start):
        end, size, start = _directory_64(read, end, size, start)
    shift = end - size - start
    if shift < 0:
        raise BadArchive("lies about where its directory is")
    return _Directory(start + shift, end, shift)


def _directory_64(read: ReadAt, end: int, size: int, start: int) -> tuple[int, int, int]:
    """Where the directory of a large archive ends, its size and its start; a small one may only look so."""
    if end < _LOCATOR.size:
        return end, size, start
    mark, _, at, _ = _LOCATOR.unpack(read(end - _LOCATOR.size, _LOCATOR.size))
    if mark != b"PK\6\7":
        return end, size, start
    # Some programs put a block before the archive and leave the offset; the record stands right before its locator.
    for place in (at, end - _LOCATOR.size - _END_64.size):
        record = read(place, _END_64.size) if 0 <= place < end else b""
        if record.startswith(b"PK\6\6") and len(record) == _END_64.size:
            return place, *_END_64.unpack(record)[-2:]
    raise BadArchive("has no readable directory")


def _entry(read: ReadAt, at: int, directory: _Directory) -> tuple[Member | Refused | None, int]:
    """The file of one entry, None for a folder, and where the next entry begins."""
    head = read(at, _ENTRY.size)
    if len(head) < _ENTRY.size or not head.startswith(b"PK\1\2"):
        raise BadArchive(f"has a damaged directory at byte {at}")
    fields = _ENTRY.unpack(head)
    flags, method, crc, stored, size = fields[3], fields[4], fields[7], fields[8], fields[9]
    name_length, extra_length, comment_length, attributes, start = *fields[10:13], fields[15], fields[16]
    after = at + _ENTRY.size + name_length + extra_length + comment_length
    if after > directory.end:
        raise BadArchive("has a directory that is cut short")
    raw = read(at + _ENTRY.size, name_length + extra_length)
    given = _text(raw[:name_length], flags)
    if given.endswith("/"):
        return None, after
    name = plain_name(given)
    size, stored, start = _in_full(raw[name_length:], size, stored, start)
    if reason := refusal(name) or _unreadable(flags, method, attributes >> 16):
        return Refused(name, at, reason), after
    if start + stored > directory.start - directory.shift or (method == _STORED and stored != size):
        return Refused(name, at, "lies about its size"), after
    return Member(name, at, start + directory.shift, stored, size, method == _DEFLATED, crc), after


def _text(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8", "surrogateescape") if flags & _UTF_8 else raw.decode("cp437")


def _unreadable(flags: int, method: int, mode: int) -> str | None:
    if stat.S_IFMT(mode) == stat.S_IFLNK:
        return "is a link"
    if flags & _ENCRYPTED:
        return "is encrypted"
    return None if method in (_STORED, _DEFLATED) else f"is packed in a way that is not read (method {method})"


def _in_full(extra: bytes, size: int, stored: int, start: int) -> tuple[int, int, int]:
    """Size, stored size and offset; those that do not fit into 32 bits stand in an extra field, in this order."""
    wide: list[int] = []
    while len(extra) >= 4:
        kind, count = struct.unpack_from("<HH", extra)
        if kind == 1:
            part = extra[4 : 4 + count]
            wide = [value for (value,) in struct.iter_unpack("<Q", part[: len(part) // 8 * 8])]
        extra = extra[4 + count :]
    values = []
    for value in (size, stored, start):
        if value == _FULL_32 and wide:
            value = wide.pop(0)
        values.append(value)
    return values[0], values[1], values[2]
