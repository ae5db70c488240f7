"""A number that tells whether the bytes of an image are those of before. Cheap, against accidents and not forgery."""

import zlib

_PART = 64 * 1024


def fingerprint(data: bytes) -> int:
    """The length and a checksum; of a long file, the checksum of its first and last 64 KiB."""
    whole = len(data) <= 2 * _PART
    checksum = zlib.crc32(data) if whole else zlib.crc32(data[-_PART:], zlib.crc32(data[:_PART]))
    return (len(data) & 0x7FFF_FFFF) << 32 | checksum
