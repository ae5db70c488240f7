"""Reads image files under IMAGE_ROOT. Every call may block for as long as a network share hangs."""

import errno
import os
import stat
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.media.archive import ArchiveReader, Parts, split

# Does not block on a named pipe, and does not adopt a controlling terminal.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_PERMANENT = (errno.ELOOP, errno.ENXIO, errno.ENODEV)
_DESCRIPTORS = "/proc/self/fd"


class FileReader:
    """Reads files under `root`, and safely rejects paths that lead outside it.

    It opens a file first and then checks the path that the kernel reports for the open file: that path has no links and
    no `..`, and belongs to the very file that is read. Checking a path before opening it would be a race (TOCTOU). Only
    a path that does not even look as if it were under the root is checked before, because opening a device can have
    side effects.
    """

    def __init__(
        self, root: Path, max_bytes: int, descriptors: str = _DESCRIPTORS, *, setting: str = "IMAGE_ROOT"
    ) -> None:
        """`setting` names the root in errors."""
        self._root = root
        self._setting = setting
        self._max_bytes = max_bytes
        self._archives = ArchiveReader()
        self._descriptors = descriptors
        self._inside = _as_prefix(os.path.realpath(root))
        self._spelt = (self._inside, _as_prefix(str(root)))

    def read(self, image_path: str) -> bytes:
        """The bytes of a file, by an absolute path or one relative to the root; or of a member of an archive, which is
        named as photos.tar#a.jpg."""
        path = image_path if image_path.startswith("/") else self._inside + image_path
        try:
            return self._bytes_of(path, image_path)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in _MISSING and (parts := split(path)):
                return self._member(parts, image_path)
            raise self._translated(error, path, image_path) from error

    def _bytes_of(self, path: str, image_path: str) -> bytes:
        descriptor = self._open(path, image_path)
        try:
            state = os.fstat(descriptor)
            if state.st_size > self._max_bytes:
                said = f"{image_path} has {state.st_size} bytes, over MAX_IMAGE_BYTES={self._max_bytes}"
                raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_BYTES")
            data = _read(descriptor, state.st_size)
        finally:
            os.close(descriptor)
        if len(data) != state.st_size:
            raise WindmillError("IMAGE_UNREADABLE", f"{image_path} changed while it was read", retry="later")
        return data

    def _member(self, parts: Parts, image_path: str) -> bytes:
        try:
            descriptor = self._open(parts.archive, image_path)
            try:
                return self._archives.read(parts.archive, descriptor, parts.name, self._max_bytes)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._translated(error, parts.archive, image_path) from error

    def _open(self, path: str, image_path: str) -> int:
        """The descriptor of a regular file inside the root."""
        if ".." in path or not path.startswith(self._spelt):
            self._must_lie_inside(os.path.realpath(path), image_path)
        descriptor = os.open(path, _FLAGS)
        try:
            self._must_lie_inside(self._name_of(descriptor, path), image_path)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise WindmillError("IMAGE_UNREADABLE", f"{image_path} is not a file")
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _name_of(self, descriptor: int, path: str) -> str:
        """The real path of an open file; for a deleted file it ends in " (deleted)", which does no harm."""
        try:
            return os.readlink(f"{self._descriptors}/{descriptor}")  # noqa: PTH115 - a Path costs as much as the read
        except FileNotFoundError:
            # No /proc, as on macOS: a link that is swapped at this very moment goes unnoticed.
            return os.path.realpath(path)

    def _must_lie_inside(self, real: str, image_path: str) -> None:
        if not real.startswith(self._inside):
            self._must_have_root()  # without a root everything lies outside
        if not real.startswith(self._inside):
            raise WindmillError("IMAGE_FORBIDDEN", f"{image_path} lies outside {self._setting}={self._root}")

    def _translated(self, error: OSError | ValueError, path: str, image_path: str) -> WindmillError:
        """Translate a failed read. It reveals nothing about paths outside the root, not even whether they exist."""
        if isinstance(error, ValueError):  # a NUL in the path, or a character that no file name can have
            return WindmillError("IMAGE_UNREADABLE", f"{image_path!r} is not a path: {error}")
        try:
            self._must_lie_inside(os.path.realpath(path), image_path)
            if not isinstance(error, PermissionError):
                self._must_have_root()
        except WindmillError as known:
            return known
        if isinstance(error, PermissionError):
            return WindmillError("IMAGE_FORBIDDEN", f"{image_path} may not be read")
        if error.errno in _MISSING:
            return WindmillError("IMAGE_NOT_FOUND", f"there is no file {image_path}")
        said = f"{image_path}: {error.strerror}"
        # A disk or a network share may recover; a circular link will not.
        return WindmillError("IMAGE_UNREADABLE", said, retry="never" if error.errno in _PERMANENT else "later")

    def _must_have_root(self) -> None:
        """Raise with retry `pause` if the share is not mounted or broken: otherwise every image would look missing."""
        try:
            with os.scandir(self._root) as entries:
                if any(True for _ in entries):
                    return
            reason = "is empty"
        except PermissionError:
            return  # it exists, but cannot be listed
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        remedy = "mount it; jobs wait meanwhile"
        raise WindmillError("IMAGE_NOT_FOUND", f"{self._setting}={self._root} {reason}", remedy, retry="pause")


def _as_prefix(folder: str) -> str:
    return folder.rstrip("/") + "/"


def _read(descriptor: int, size: int) -> bytes:
    """The whole file, usually in one call; one byte more than `size` if it has grown."""
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data
