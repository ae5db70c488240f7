"""A number that tells whether a file still shows the picture of before. Cheap, against accidents and not forgery."""

import zlib

from windmill.kernels.media.jpeg_parts import JpegParts

_SAMPLES = 8
_SAMPLE_BYTES = 512


def fingerprint(data: bytes, orientation: int, jpeg: JpegParts | None) -> int:
    """The length and a checksum of samples, spread over the file: margins of scanned pages all look alike.

    Of a JPEG only the pixels count, and how EXIF turns them: a new caption or a corrected date makes no other picture.
    `jpeg` is where its parts are; None for a file of another format.
    """
    start = jpeg.scan if jpeg else 0
    length = len(data) - start
    checksum = zlib.crc32(_samples(data, start, length), orientation)
    return (length & 0x7FFF_FFFF) << 32 | checksum


def _samples(data: bytes, start: int, length: int) -> bytes:
    if length <= _SAMPLES * _SAMPLE_BYTES:
        return data[start:]
    step = (length - _SAMPLE_BYTES) // (_SAMPLES - 1)
    last = len(data) - _SAMPLE_BYTES
    return b"".join([data[at : at + _SAMPLE_BYTES] for at in (*range(start, last - step + 1, step), last)])
