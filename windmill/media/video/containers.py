"""Which demuxer reads a file, by its first bytes and never by its name. Lists of other files, pages and drawings are
none of these, so they are refused whatever they are called."""

from pathlib import Path
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.kernels.text.printable import render_printable

Demuxer = Literal["mov", "matroska", "avi", "mpegts", "flv"]
HEAD_BYTES = 4 * 188 + 1
_MOV = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_STILLS_IN_MOV = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")
_TS_PACKET, _TS_SIGN = 188, 0x47
_STILLS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")


def is_still(head: bytes) -> bool:
    """Whether it is a picture that becomes a clip."""
    return head.startswith(_STILLS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def demuxer_of(head: bytes) -> Demuxer | None:
    """None: it is no video."""
    if head[4:8] in _MOV and not (head[4:8] == b"ftyp" and head[8:12] in _STILLS_IN_MOV):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith(b"FLV\x01"):
        return "flv"
    signs = head[0 : 3 * _TS_PACKET + 1 : _TS_PACKET]
    return "mpegts" if len(signs) == 4 and set(signs) == {_TS_SIGN} else None


def read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def must_be_video(path: Path) -> Demuxer:
    """Raises VIDEO_UNREADABLE."""
    head = read_head(path)
    demuxer = demuxer_of(head)
    if demuxer is None:
        begins = render_printable(head[:16].decode("latin-1"))
        raise WindmillError(
            "VIDEO_UNREADABLE", f"it is no MP4, MOV, MKV, WebM, AVI, FLV or TS; it begins with {begins!r}"
        )
    return demuxer
