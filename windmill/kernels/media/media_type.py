"""What a file is, by its first bytes and not by its name, which anybody may choose."""

from collections.abc import Mapping

from windmill.kernels.media.image_header import Format, format_of

HEAD_BYTES = 64
_PICTURES: Mapping[Format, str] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "WebP": "image/webp",
    "TIFF": "image/tiff",
    "HEIC": "image/heic",
    "AVIF": "image/avif",
}
_FIRST: Mapping[bytes, str] = {
    b"\x1aE\xdf\xa3": "video/x-matroska",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\xff\xf1": "audio/aac",
}
_RIFF: Mapping[bytes, str] = {b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_BRANDS: Mapping[bytes, str] = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4"}


def media_type_of_bytes(head: bytes) -> str | None:
    """The type of a picture, video or recording; None for anything else."""
    if picture := format_of(head):
        return _PICTURES[picture]
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    return next((kind for first, kind in _FIRST.items() if head.startswith(first)), None)
