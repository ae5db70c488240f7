"""The headers of a tar file, as ustar, GNU tar and pax (so also WebDataset) write them. What they claim is bounded by
the length of the file, and by constants here."""

from collections.abc import Iterator
from dataclasses import dataclass

from windmill.media.archive.members import MOST_NAME_BYTES, BadArchive, Member, ReadAt, Refused, plain_name, refusal

BLOCK = 512
MOST_EXTENSION_BYTES = 64 * 1024
MOST_EXTENSIONS = 8
"""Headers that only say more of the member that follows."""
_FILES = (b"0", b"\0", b"7")
_WITHOUT_BYTES = {b"1": "is a link", b"2": "is a link", b"3": "is a device", b"4": "is a device", b"6": "is a pipe"}
_FOLDER = b"5"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(slots=True)
class _Said:
    """What extension headers say of the member that follows."""

    name: str | None = None
    size: int | None = None
    sparse: bool = False


@dataclass(slots=True)
class _Entry:
    """One member with the headers before it; `found` is None for folders, and `after` is where the next one begins."""

    found: Member | Refused | None
    after: int


def members(read: ReadAt, length: int) -> Iterator[Member | Refused]:
    """All files of the archive in their order, and what is refused; folders are passed by."""
    _must_be_plain(read(0, BLOCK))
    at = 0
    while entry := _entry(read, at, length):
        if entry.found:
            yield entry.found
        at = entry.after


def member_at(read: ReadAt, place: int, length: int) -> Member | Refused | None:
    """The file whose headers begin there."""
    entry = _entry(read, place, length)
    return entry.found if entry else None


def _must_be_plain(head: bytes) -> None:
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise BadArchive(
                f"is compressed as a whole ({name}), so that no member could be read without all before it; unpack "
                "that layer once, or make the archive without it: pictures are compressed already"
            )


def _entry(read: ReadAt, place: int, length: int) -> _Entry | None:
    """The entry that begins at a place; None where the archive ends."""
    said, at = _Said(), place
    for _ in range(MOST_EXTENSIONS):
        head = read(at, BLOCK)
        if not head.strip(b"\0") and at == place:
            return None  # a block of zeros, or the end of the file
        kind, size = _checked(head, at)
        start = at + BLOCK
        if kind not in (b"L", b"K", b"x", b"g"):
            return _final(read, place, start, head, size, said, length)
        if start + size > length:
            raise BadArchive(f"is cut short, or lies about its sizes, at byte {at}")
        _extend(said, kind, read(start, min(size, MOST_EXTENSION_BYTES)), size)
        at = _next_block(start + size)
    raise BadArchive(f"has too many headers for one member at byte {place}")


def _checked(head: bytes, at: int) -> tuple[bytes, int]:
    """Kind and size, once the header is known to be one."""
    if len(head) < BLOCK:
        raise BadArchive("is cut short")
    sums = sum(head) - sum(head[148:156]) + 8 * 32
    if _number(head[148:156]) != sums:
        raise BadArchive(f"is no tar file, or damaged at byte {at}")
    return head[156:157], _number(head[124:136])


def _number(text: bytes) -> int:
    """A number in octal digits or, with the first bit set, in bytes. Garbage is -1, which no size and no sum is."""
    if text[:1] == b"\x80":
        return int.from_bytes(text[1:])
    digits = text.strip(b" \0")
    if not digits.isdigit():
        return 0 if not digits else -1
    try:
        return int(digits, 8)
    except ValueError:
        return -1


def _extend(said: _Said, kind: bytes, content: bytes, size: int) -> None:
    """A name that is too long to be kept is kept short, and refused for its length then."""
    if kind == b"L":
        said.name = _text(content[: MOST_NAME_BYTES + 1].partition(b"\0")[0])
    elif kind == b"x":
        if size > MOST_EXTENSION_BYTES:
            raise BadArchive(f"has a header of {size:,} bytes for one member")
        _read_pax(said, content)


def _read_pax(said: _Said, content: bytes) -> None:
    """Records of the form "17 path=a/b.jpg\\n", the length first and counting itself."""
    while content.strip(b"\0"):
        number, space, _ = content.partition(b" ")
        if not space or not number.isdigit() or len(number) > 9 or not len(number) < int(number) <= len(content):
            raise BadArchive("has a pax header that cannot be read")
        record, content = content[len(number) + 1 : int(number) - 1], content[int(number) :]
        key, _, value = record.partition(b"=")
        if key == b"path":
            said.name = _text(value)
        elif key == b"size":
            said.size = int(value) if value.isdigit() and len(value) < 20 else -1
        elif key.startswith(b"GNU.sparse"):
            said.sparse = True


def _final(read: ReadAt, place: int, start: int, head: bytes, size: int, said: _Said, length: int) -> _Entry:
    kind = head[156:157]
    given = _own_name(head) if said.name is None else said.name
    name = plain_name(given)
    if reason := _WITHOUT_BYTES.get(kind):
        return _Entry(Refused(name, place, reason), start)
    if kind == _FOLDER:
        return _Entry(None, start)
    if kind == b"S":
        start, said.sparse = _behind_map(read, start, head), True
    size = size if said.size is None else said.size
    if size < 0 or start + size > length:
        raise BadArchive(f"is cut short, or lies about its sizes, at byte {place}")
    after = _next_block(start + size)
    if kind in _FILES and given.endswith("/"):
        return _Entry(None, after)  # so folders were written before there was a kind for them
    reason = refusal(name) or ("is sparse" if said.sparse else None)
    if reason or kind not in _FILES:
        return _Entry(Refused(name, place, reason or "is of an unknown kind"), after)
    return _Entry(Member(name, place, start, size, size), after)


def _behind_map(read: ReadAt, start: int, head: bytes) -> int:
    """Where the bytes of an old sparse file begin: its map may go on in blocks of its own."""
    more = head[482:483]
    for _ in range(1000):
        if more in (b"", b"\0"):
            return start
        more = read(start, BLOCK)[504:505]
        start += BLOCK
    raise BadArchive("has a sparse file with a map without end")


def _own_name(head: bytes) -> str:
    name = head[:100].partition(b"\0")[0]
    prefix = head[345:500].partition(b"\0")[0] if head[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _next_block(at: int) -> int:
    return -(-at // BLOCK) * BLOCK
