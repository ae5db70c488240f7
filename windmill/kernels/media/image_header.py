"""Image header parsing: format, width and height from the first bytes of a file, without decoding it."""

import struct
from collections.abc import Callable
from typing import Literal

from windmill.kernels.media.jpeg_parts import jpeg_parts

Format = Literal["JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF", "HEIC", "AVIF"]

_MAX_STEPS = 1000
"""The maximum number of segments or entries to parse, so that a hostile file costs at most a millisecond."""

_pair_be16 = struct.Struct(">HH").unpack_from
_pair_le16 = struct.Struct("<HH").unpack_from
_pair_be32 = struct.Struct(">II").unpack_from
_pair_le32_signed = struct.Struct("<ii").unpack_from


def format_of(data: bytes) -> Format | None:
    """The format that the magic bytes indicate, or None."""
    for magic, form in _MAGIC:
        if data.startswith(magic):
            return form if form != "WebP" or data[8:12] == b"WEBP" else None
    return _heif_format(data) if data[4:8] == b"ftyp" else None


def dimensions(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels as the header declares them, before any EXIF rotation. The pixels may disagree.

    None for an unknown format, a truncated or contradictory header, or a side of 0.
    """
    form = format_of(data)
    if form is None:
        return None
    try:
        size = _READERS[form](data)
    except (struct.error, IndexError):  # the header is truncated
        return None
    return size if size and size[0] > 0 and size[1] > 0 else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    frame = jpeg_parts(data).frame
    if not frame:
        return None
    height, width = _pair_be16(data, frame + 5)
    return width, height


def _png(data: bytes) -> tuple[int, int] | None:
    return _pair_be32(data, 16) if data[12:16] == b"IHDR" else None


def _gif(data: bytes) -> tuple[int, int]:
    return _pair_le16(data, 6)


def _bmp(data: bytes) -> tuple[int, int]:
    if data[14:18] == b"\x0c\0\0\0":  # OS/2 header
        return _pair_le16(data, 18)
    width, height = _pair_le32_signed(data, 18)
    return width, abs(height)  # a negative height means top-down rows


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = _pair_le16(data, 26)
        return width & 0x3FFF, height & 0x3FFF  # the upper two bits are a scaling hint
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    """Width and height from the first directory; each entry has 12 bytes: tag, type, count, value."""
    order = "<" if data[0] == 0x49 else ">"
    entry = struct.Struct(order + "HHI")
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    found: dict[int, int] = {}
    for start in range(at + 2, at + 2 + 12 * min(count, _MAX_STEPS), 12):
        tag, kind, values = entry.unpack_from(data, start)
        if tag in (256, 257) and kind in _TIFF_TYPES and values == 1:
            (found[tag],) = struct.unpack_from(order + _TIFF_TYPES[kind], data, start + 8)
            if len(found) == 2:
                return found[256], found[257]
    return None


def _heif(data: bytes) -> tuple[int, int] | None:
    """The largest of the sizes in the properties of HEIC and AVIF: large images are made of tiles, which have sizes of
    their own, as thumbnails have."""
    found, at = [(0, 0)], 0
    for _ in range(_MAX_STEPS):
        at = data.find(b"ispe", at, _HEIF_HEADER) + 4
        if at < 4:
            break
        found.append(_pair_be32(data, at + 4))
    return max(found, key=lambda size: size[0] * size[1])


def _heif_format(data: bytes) -> Format | None:
    """By the brand; a file of a brand that says nothing about the pixels lists better ones after it."""
    form = _BRANDS.get(data[8:12])
    listed = data[16 : min(int.from_bytes(data[:4]), 256)]
    return "AVIF" if form and data[8:12] in _VAGUE_BRANDS and b"avif" in listed else form


_HEIF_HEADER = 1 << 20
"""Where the properties of a HEIC or AVIF end at the latest; usually they are in the first kilobytes."""
_VAGUE_BRANDS = (b"mif1", b"msf1")
_BRANDS: dict[bytes, Format] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", *_VAGUE_BRANDS), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_TIFF_TYPES = {1: "B", 3: "H", 4: "I"}
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"RIFF", "WebP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_READERS: dict[Format, Callable[[bytes], tuple[int, int] | None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "BMP": _bmp,
    "WebP": _webp,
    "TIFF": _tiff,
    "HEIC": _heif,
    "AVIF": _heif,
}
