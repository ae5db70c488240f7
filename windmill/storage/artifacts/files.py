"""Copying files piece by piece: hashed on the way, and visible only once they are whole and on the disk."""

import errno
import hashlib
import os
import stat
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from windmill.core.errors import WindmillError
from windmill.storage.artifacts.store import CHUNK

_FULL = (errno.ENOSPC, errno.EDQUOT)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Stopped(Exception):
    """Whoever asked for a copy does not want it any more."""


def open_source(source: Path) -> IO[bytes]:
    """A regular file, opened for reading; neither a link nor a pipe, which could lead anywhere or block."""
    try:
        opened = os.fdopen(os.open(source, _READ), "rb")
    except OSError as error:
        raise WindmillError("NOT_FOUND", f"{source.name} cannot be stored: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise WindmillError("USAGE", f"{source.name} cannot be stored: it is not a regular file")
    return opened


def chunks(opened: IO[bytes], stop: threading.Event) -> Iterator[bytes]:
    """The rest of a file in pieces, until somebody sets `stop`."""
    while piece := opened.read(CHUNK):
        if stop.is_set():
            raise Stopped
        yield piece


class RunningDigest:
    """Hashes what is written, piece by piece."""

    def __init__(self, write: Callable[[bytes], object] = lambda _: None) -> None:
        self._digest = hashlib.sha256()
        self._write = write
        self.size = 0

    def update(self, piece: bytes) -> None:
        self._digest.update(piece)
        self._write(piece)
        self.size += len(piece)

    def hex(self) -> str:
        return self._digest.hexdigest()


def hashed(pieces: Iterable[bytes], write: Callable[[bytes], object] = lambda _: None) -> tuple[str, int]:
    """The digest and the size of all pieces, which are written meanwhile."""
    digest = RunningDigest(write)
    for piece in pieces:
        digest.update(piece)
    return digest.hex(), digest.size


@contextmanager
def temporary_file(folder: Path, suffix: str = "") -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file of a name that nobody else uses. It is gone after the block unless the block renamed it."""
    path = folder / f".{uuid.uuid4().hex}{suffix}"
    with os.fdopen(os.open(path, _NEW, 0o640), "wb") as opened:
        try:
            yield path, opened
        finally:
            path.unlink(missing_ok=True)


def publish(opened: IO[bytes], temporary: Path, final: Path) -> None:
    """Give a finished file its name once its bytes are on the disk; then see that the name is on the disk as well."""
    opened.flush()
    os.fsync(opened.fileno())
    temporary.replace(final)
    sync_folder(final.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before a file in it claims to be."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained_disk_errors(folder: Path) -> Iterator[None]:
    """Turn an error of the disk into one that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise WindmillError("INSUFFICIENT_DISK_SPACE", f"{folder} is full") from error
        said = f"{folder} cannot be used: {error.strerror or error}"
        raise WindmillError("ARTIFACT_STORE_UNAVAILABLE", said) from error
