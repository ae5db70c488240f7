"""Folders in which tasks work. To make or remove one waits for the journal of the disk, which other programs keep busy:
longer than a short task takes. So a folder that a task has left empty is given to the next."""

import asyncio
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "windmill-steps-"


@contextmanager
def scratch_of_process(parent: Path | None = None) -> Iterator[Path]:
    """A folder that goes with this process. One that is killed cannot remove its own, in which whole files may lie: so
    each holds a lock on its folder while it lives, and the next to start removes those that nobody holds."""
    parent = parent or Path(tempfile.gettempdir())
    for left in parent.glob(f"{PREFIX}*"):
        _remove_unless_held(left)
    folder, lock = _make_held(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_unless_held(folder: Path) -> None:
    with suppress(OSError):  # it is held, another user's, or gone meanwhile
        lock = _lock(folder)
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _make_held(parent: Path) -> tuple[Path, int | None]:
    """A new folder, and the lock on it; None where the file system has no locks, so nobody else can take it either.
    Whoever starts at the same time may find it before the lock is taken, and remove it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        try:
            lock = _lock(folder)
        except (FileNotFoundError, BlockingIOError):
            continue
        except OSError:
            return folder, None
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class ScratchFolders:
    """Those of a process, below one folder that goes with it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._empty: list[Path] = []

    async def take(self) -> Path:
        """An empty folder that no other task has."""
        if self._empty:
            return self._empty.pop()
        folder = self._root / str(uuid.uuid4())
        await asyncio.to_thread(folder.mkdir, parents=True)
        return folder

    async def give_back(self, folder: Path) -> None:
        """Nothing of the task is left that could write there."""
        if _is_empty(folder):
            self._empty.append(folder)
        else:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:
        return False  # the task has removed it, or nobody may look into it
