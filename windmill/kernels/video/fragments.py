"""Fragmented MP4: the header apart from the media, and the media moved in time. Segments are encoded apart, each with
times of its own; here they get their places in the whole, so that they can be played and joined as they are."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

LEAD_SECONDS = 1
"""By how much all of a video is moved, so that no time of decoding is negative. Joining takes it back."""
_HAS_OFFSET, _HAS_FIRST_FLAGS = 0x1, 0x4
_FIELDS = (0x100, 0x200, 0x400)
_HAS_COMPOSITION = 0x800


class BadFragments(ValueError):
    """The bytes are no fragmented MP4 as ffmpeg writes it."""


@dataclass(frozen=True)
class FragmentedVideo:
    """`header` tells how to decode, and is the same for all segments of a video; `media` is what is decoded."""

    header: bytes
    media: bytes


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    body: int
    end: int


def split_fragments(data: bytes) -> FragmentedVideo:
    """The two parts of a file."""
    boxes = list(_boxes(data, 0, len(data)))
    header = b"".join(data[box.start : box.end] for box in boxes if box.kind in (b"ftyp", b"moov"))
    media = b"".join(data[box.start : box.end] for box in boxes if box.kind in (b"moof", b"mdat"))
    if not header or not media:
        raise BadFragments(f"it has {b' '.join(box.kind for box in boxes)!r:.200}")
    return FragmentedVideo(header, media)


def move_fragments(media: bytes, first_shown: int, number: int) -> bytes:
    """The same media with the first frame shown at this time, in ticks. `number` counts segments."""
    moved, shift = bytearray(media), None
    fragments = [box for box in _boxes(media, 0, len(media)) if box.kind == b"moof"]
    for place, fragment in enumerate(fragments):
        (sequence,) = _inside(media, fragment, b"mfhd")
        struct.pack_into(">I", moved, sequence.body + 4, number * 1_000 + place + 1)
        (track,) = _inside(media, fragment, b"traf")
        (time,) = _inside(media, track, b"tfdt")
        form = ">Q" if media[time.body] else ">I"
        (decoded,) = struct.unpack_from(form, media, time.body + 4)
        if shift is None:
            shift = first_shown - decoded - _first_composition(media, next(iter(_inside(media, track, b"trun"))))
        struct.pack_into(form, moved, time.body + 4, decoded + shift)
    return bytes(moved)


def _first_composition(media: bytes, run: _Box) -> int:
    """How long after it was decoded the first sample of a run is shown."""
    version, flags = media[run.body], int.from_bytes(media[run.body + 1 : run.body + 4], "big")
    if not flags & _HAS_COMPOSITION:
        return 0
    place = run.body + 8 + 4 * bool(flags & _HAS_OFFSET) + 4 * bool(flags & _HAS_FIRST_FLAGS)
    place += 4 * sum(bool(flags & field) for field in _FIELDS)
    (offset,) = struct.unpack_from(">i" if version else ">I", media, place)
    return int(offset)


def _inside(data: bytes, box: _Box, kind: bytes) -> list[_Box]:
    found = [one for one in _boxes(data, box.body, box.end) if one.kind == kind]
    if not found:
        raise BadFragments(f"a box {box.kind!r} has no {kind!r}")
    return found


def _boxes(data: bytes, start: int, end: int) -> Iterator[_Box]:
    while start < end:
        if end - start < 8:
            raise BadFragments("a box is cut off")
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and end - start >= 16:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        if size < body - start or start + size > end:
            raise BadFragments(f"a box {kind!r} has {size} bytes")
        yield _Box(kind, start, body, start + size)
        start += size
