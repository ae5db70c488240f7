"""Files below IMAGE_ROOT, read whole. Everything here may block for as long as a share hangs."""

import errno
import os
import stat
from pathlib import Path

from windmill.core.errors import WindmillError

# Waits for nobody (a named pipe would wait for a writer), and takes no terminal for its own.
_HOW = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NO_SUCH = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV)
_DESCRIPTORS = "/proc/self/fd"


class Folder:
    """Reads what lies below `root`, wherever its name comes from.

    A file is opened first and judged then, by the name that the kernel gives the open file: it has no link and no
    `..` in it, costs no walk along the path, and is that of the very file that is read. A path that is checked and
    then opened may have become another meanwhile. Only what does not even look as if it were below the root is
    looked at before: opening a device can have effects.
    """

    def __init__(self, root: Path, most: int, descriptors: str = _DESCRIPTORS) -> None:
        self._root = root
        self._most = most
        self._descriptors = descriptors
        self._inside = _as_prefix(os.path.realpath(root))
        self._spelt = (self._inside, _as_prefix(str(root)))

    def read(self, image_path: str) -> bytes:
        """The bytes of a file, named absolutely or from the root."""
        path = image_path if image_path.startswith("/") else self._inside + image_path
        try:
            if ".." in path or not path.startswith(self._spelt):
                self._must_lie_inside(os.path.realpath(path), image_path)
            return self._bytes_of(path, image_path)
        except (OSError, ValueError) as error:
            raise self._explained(error, path, image_path) from error

    def _bytes_of(self, path: str, image_path: str) -> bytes:
        descriptor = os.open(path, _HOW)
        try:
            self._must_lie_inside(self._name_of(descriptor, path), image_path)
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise WindmillError("IMAGE_UNREADABLE", f"{image_path} is not a file")
            if state.st_size > self._most:
                said = f"{image_path} has {state.st_size} bytes, over MAX_IMAGE_BYTES={self._most}"
                raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_BYTES")
            data = _read(descriptor, state.st_size)
        finally:
            os.close(descriptor)
        if len(data) != state.st_size:
            raise WindmillError("IMAGE_UNREADABLE", f"{image_path} changes while it is read", retry="later")
        return data

    def _name_of(self, descriptor: int, path: str) -> str:
        """The real name of an open file; one that was deleted meanwhile has a word behind it, which does no harm."""
        try:
            return os.readlink(f"{self._descriptors}/{descriptor}")  # noqa: PTH115 - a Path costs as much as the read
        except FileNotFoundError:
            # No /proc here, as on macOS: a link that is exchanged at this very moment goes unnoticed.
            return os.path.realpath(path)

    def _must_lie_inside(self, real: str, image_path: str) -> None:
        if not real.startswith(self._inside):
            self._must_have_root()  # without it everything lies outside
        if not real.startswith(self._inside):
            raise WindmillError("IMAGE_FORBIDDEN", f"{image_path} lies outside IMAGE_ROOT={self._root}")

    def _explained(self, error: OSError | ValueError, path: str, image_path: str) -> WindmillError:
        """What a failed read means. Of what is outside nothing is told, not even whether it is there."""
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
        if error.errno in _NO_SUCH:
            return WindmillError("IMAGE_NOT_FOUND", f"there is no file {image_path}")
        said = f"{image_path}: {error.strerror}"
        # A disk or a network share may be having a bad moment; a link that leads in a circle stays one.
        return WindmillError("IMAGE_UNREADABLE", said, retry="never" if error.errno in _NO_FILE else "later")

    def _must_have_root(self) -> None:
        """A share that is not mounted or is broken makes every image look lost: better to wait for it."""
        try:
            with os.scandir(self._root) as entries:
                if any(True for _ in entries):
                    return
            reason = "is empty"
        except PermissionError:
            return  # it is there, and shows only files that are known by name
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        remedy = "mount it; jobs wait meanwhile"
        raise WindmillError("IMAGE_NOT_FOUND", f"IMAGE_ROOT={self._root} {reason}", remedy, retry="pause")


def _as_prefix(folder: str) -> str:
    return folder.rstrip("/") + "/"


def _read(descriptor: int, size: int) -> bytes:
    """The file in one piece, as a rule by one call; one byte more than `size` if it has grown."""
    data = os.read(descriptor, size + 1)
    while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
        data += more
    return data
