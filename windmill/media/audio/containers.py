"""Which demuxer reads a recording, and whether a chunk of one is a file of its own, by its first bytes."""

from collections.abc import Mapping
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.kernels.text.printable import render_printable
from windmill.media.video.containers import demuxer_of, read_head

_FIRST: Mapping[bytes, str] = {b"OggS": "ogg", b"fLaC": "flac", b"ID3": "mp3", b"#!AMR": "amr", b"caff": "caf"}
_BEGINS_STREAM = 0x02
_CLUSTER = b"\x1f\x43\xb6\x75"
_FRAGMENT = b"moof"
_MPEG_LAYERS = 0x06


def demuxer_of_sound(head: bytes) -> str | None:
    """None: there is no sound in it. A video may have some."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return "mp3" if head[1] & _MPEG_LAYERS else "aac"
    return next((name for first, name in _FIRST.items() if head.startswith(first)), None) or demuxer_of(head)


def is_file_of_its_own(head: bytes) -> bool:
    """Whether a chunk can be decoded by itself, and is no continuation of the one before."""
    if head[:4] == b"OggS":
        return bool(len(head) > 5 and head[5] & _BEGINS_STREAM)
    if demuxer_of_sound(head) == "mov":
        return head[4:8] in (b"ftyp", b"moov")
    return demuxer_of_sound(head) is not None


def header_of(chunk: bytes) -> bytes:
    """What the continuations of a chunk need before them: all of it that is no sound yet."""
    if chunk[:4] == b"RIFF":
        place = chunk.find(b"data")
        return chunk[: place + 8] if place > 0 else chunk
    if chunk[4:8] in (b"ftyp", b"moov"):
        place = chunk.find(_FRAGMENT)
        return chunk[: place - 4] if place > 4 else chunk
    if chunk[:4] == b"OggS":
        return _first_pages(chunk)
    place = chunk.find(_CLUSTER)
    return chunk[:place] if place > 0 else chunk


def continuation_of(header: bytes, chunk: bytes) -> bytes:
    """What of a chunk can be read behind a header that is not right before it: of an MP4 whole fragments only."""
    if header[4:8] not in (b"ftyp", b"moov"):
        return chunk
    place = chunk.find(_FRAGMENT)
    return chunk[place - 4 :] if place >= 4 else b""


def _first_pages(chunk: bytes) -> bytes:
    """The page that begins the stream and the one with its comments."""
    second = chunk.find(b"OggS", 4)
    third = chunk.find(b"OggS", second + 4) if second > 0 else -1
    return chunk[:third] if third > 0 else chunk


def must_have_sound(path: Path) -> str:
    """The demuxer; raises AUDIO_UNREADABLE."""
    head = read_head(path)
    demuxer = demuxer_of_sound(head)
    if demuxer is None:
        begins = render_printable(head[:16].decode("latin-1"))
        raise WindmillError("AUDIO_UNREADABLE", f"it is no recording that is known; it begins with {begins!r}")
    return demuxer
