"""Where the parts of a JPEG file are. One walk over its segments serves size, orientation and fingerprint."""

import struct
from typing import NamedTuple

_MAX_STEPS = 1000
"""The maximum number of segments, so that a hostile file costs at most a millisecond."""
_PLAIN = frozenset((0xFFC4, 0xFFDB, 0xFFDD, 0xFFE0, *range(0xFFE2, 0xFFF0), 0xFFFE))
"""Tables, colour profiles and comments: most segments, to be skipped at once."""
_FRAMES = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
_BARE = frozenset((0xFF01, *range(0xFFD0, 0xFFD9)))
_END, _SCAN, _EXIF, _FILL = 0xFFD9, 0xFFDA, 0xFFE1, 0xFFFF
_EXIF_NAME = b"Exif\0\0"
_marker_and_length = struct.Struct(">HH").unpack_from


class JpegParts(NamedTuple):
    """Offsets into the file, 0 for a part that it does not have."""

    frame: int = 0
    exif: int = 0
    """The TIFF structure of the first EXIF segment, and where it ends."""
    exif_end: int = 0
    scan: int = 0
    """Where the pixels start, and all metadata but that of a trailer has ended."""


def jpeg_parts(data: bytes) -> JpegParts:
    """Walk the segments up to the first scan. An embedded thumbnail lies inside a segment and is skipped."""
    frame = exif = exif_end = 0
    at = 2
    try:
        for _ in range(_MAX_STEPS):
            marker, length = _marker_and_length(data, at)
            if marker in _PLAIN:
                pass
            elif marker in (_SCAN, _END) or marker < 0xFF00:
                return JpegParts(frame, exif, exif_end, at if marker == _SCAN else 0)
            elif marker in _FRAMES:
                frame = frame or at
            elif marker == _EXIF and not exif and data.startswith(_EXIF_NAME, at + 4):
                exif, exif_end = at + 10, at + 2 + length
            elif marker == _FILL or marker in _BARE:
                at += 1 if marker == _FILL else 2
                continue
            at += 2 + max(length, 2)
    except struct.error:  # the header is truncated
        pass
    return JpegParts(frame, exif, exif_end)
