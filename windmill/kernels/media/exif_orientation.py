"""The EXIF orientation of an image, from its header: how its pixels must be turned to be upright.

Only JPEG, PNG, WebP and TIFF can carry it. AVIF has turns of its own, which its decoder reports.
"""

import struct

from windmill.kernels.media.image_header import format_of
from windmill.kernels.media.jpeg_parts import JpegParts, jpeg_parts

UPRIGHT = 1
"""The orientation of an image that need not be turned."""
_ORIENTATION_TAG = 0x0112
_MAX_STEPS = 1000
_EXIF = b"Exif\0\0"


def orientation_of(data: bytes, jpeg: JpegParts | None = None) -> int:
    """1 to 8; 1 for an image that is upright, or whose header cannot be read. `jpeg` is where the parts of a JPEG are,
    if the caller has looked."""
    try:
        block = _in_jpeg(jpeg) if jpeg else _tiff_block(data)
        return _read_tag(data, *block) if block else UPRIGHT
    except (struct.error, IndexError):  # the header is truncated
        return UPRIGHT


def swaps_sides(orientation: int) -> bool:
    """Whether an image of this orientation gets its width for its height when it is turned upright."""
    return orientation >= 5


def _tiff_block(data: bytes) -> tuple[int, int] | None:
    """Where the TIFF structure with the tags starts and ends."""
    match format_of(data):
        case "JPEG":
            return _in_jpeg(jpeg_parts(data))
        case "PNG":
            return _in_chunks(data, at=8, name=b"eXIf", order=">", name_first=False)
        case "WebP":
            return _in_chunks(data, at=12, name=b"EXIF", order="<", name_first=True)
        case "TIFF":
            return 0, len(data)
        case _:
            return None


def _in_jpeg(parts: JpegParts) -> tuple[int, int] | None:
    return (parts.exif, parts.exif_end) if parts.exif else None


def _in_chunks(data: bytes, at: int, name: bytes, order: str, *, name_first: bool) -> tuple[int, int] | None:
    """A chunk of a PNG (length, name, body, checksum) or of a WebP (name, length, body, padded to an even length)."""
    for _ in range(_MAX_STEPS):
        found = data[at : at + 4] if name_first else data[at + 4 : at + 8]
        (length,) = struct.unpack_from(order + "I", data, at + 4 if name_first else at)
        if found == name:
            start = at + 8
            return (start + 6 if data[start : start + 6] == _EXIF else start), start + length
        at += 8 + length + (length & 1 if name_first else 4)
    return None


def _read_tag(data: bytes, start: int, end: int) -> int:
    order = {b"II": "<", b"MM": ">"}.get(data[start : start + 2])
    if order is None:
        return UPRIGHT
    (offset,) = struct.unpack_from(order + "I", data, start + 4)
    at = start + offset
    (count,) = struct.unpack_from(order + "H", data, at)
    for entry in range(at + 2, min(at + 2 + 12 * min(count, _MAX_STEPS), end - 11), 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", data, entry)
        if tag == _ORIENTATION_TAG:
            return value if kind == 3 and values == 1 and 1 <= value <= 8 else UPRIGHT
    return UPRIGHT
