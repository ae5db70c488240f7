"""Unpacks an archive that an engine answered. Archives may claim anything: what is bounded here is what comes out, and
names that lead elsewhere, links and encryption are refused. Call it in a thread."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from windmill.engines.outputs import MAX_FILES, bad_output

_PIECE = 1024 * 1024
_MAX_HEADER = 4 * 1024 * 1024
_HEADERS = 64 * 1024 * 1024
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_COMPRESSED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_LINK = 0xA
_USTAR = slice(257, 262)
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    RuntimeError,  # zipfile: the member is encrypted
    NotImplementedError,  # zipfile: compressed by a method that it does not know
    ValueError,
)
Member = tuple[str, Callable[[], IO[bytes]]]


class Unpacking:
    """What may still come out of an archive."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._left = max_bytes
        self._max_bytes = max_bytes
        self._files = 0

    def take(self, member: Member) -> None:
        """Write one file."""
        name, opened = member
        self._files += 1
        if self._files > MAX_FILES:
            raise bad_output(f"its archive has more than {MAX_FILES:,} files")
        target = self._folder / safe_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, target.open("xb") as file:
            while piece := source.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    raise bad_output(f"its archive holds more than {self._max_bytes:,} bytes")
                file.write(piece)


def is_archive(path: Path) -> bool:
    """Whether the file begins like an archive."""
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith((_ZIP, _EMPTY_ZIP, *_COMPRESSED)) or head[_USTAR] == b"ustar"


def unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    """Write the files of the archive below the folder; raises BAD_RESPONSE if it is broken or goes too far."""
    unpacking = Unpacking(folder, max_bytes)
    try:
        with archive.open("rb") as file:
            is_zip = file.read(4) in (_ZIP, _EMPTY_ZIP)
            file.seek(0)
            most = 2 * max_bytes + _HEADERS
            for member in (_zip_members if is_zip else _tar_members)(file, most):
                unpacking.take(member)
    except FileExistsError as error:
        raise bad_output("its archive holds the same name twice") from error
    except _BROKEN as error:
        raise bad_output(f"its archive is broken: {error!s:.200}") from error


def safe_name(name: str) -> PurePosixPath:
    """A name that leads nowhere else."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise bad_output(f"its archive has the name {name!r:.100}, which leads elsewhere")
    return path


def _zip_members(file: IO[bytes], _most: int) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.external_attr >> 28 == _LINK:
                raise bad_output("its archive holds a link")
            if not info.is_dir():
                yield info.filename, partial(archive.open, info)


def _tar_members(file: IO[bytes], most: int) -> Iterator[Member]:
    with ExitStack() as stack:
        plain: Any = _Bounded(_decompressed(file, stack), most)
        archive = stack.enter_context(tarfile.open(fileobj=plain, mode="r:"))
        for info in archive:
            if info.isdir():
                continue
            if not info.isfile():
                raise bad_output("its archive holds what is neither a file nor a folder")
            yield info.name, partial(_opened, archive, info)


def _decompressed(file: IO[bytes], stack: ExitStack) -> IO[bytes]:
    head = file.read(6)
    file.seek(0)
    for sign, opened in _COMPRESSED.items():
        if head.startswith(sign):
            return stack.enter_context(opened(file))
    return file


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    opened = archive.extractfile(info)
    assert opened
    return opened


class _Bounded:
    """A file of which little may be read at once, as the header of a tar could ask for all memory, and that must end
    somewhere: a compressed one may go on for days."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError("a header is too large")
        return self._file.read(size)

    def seek(self, place: int) -> int:
        if place > self._most:
            raise tarfile.ReadError(f"it is larger than {self._most:,} bytes")
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """The file belongs to somebody else."""
