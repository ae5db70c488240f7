"""Archives for tests: well made by the standard library, or wrong by one byte."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

JPEG = b"\xff\xd8\xff\xe0 picture "


def tar_of(path: Path, members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT, mode: str = "w") -> Path:
    with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zip_of(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return path


def header(name: bytes = b"a.jpg", size: bytes = b"00000000016", kind: bytes = b"0") -> bytes:
    """One block of a tar file, with a true checksum whatever it claims."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:263] = b"ustar\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
