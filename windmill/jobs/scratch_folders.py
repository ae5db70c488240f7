"""Folders in which tasks work. To make or remove one waits for the journal of the disk, which other programs keep busy:
longer than a short task takes. So a folder that a task has left empty is given to the next."""

import asyncio
import shutil
import uuid
from pathlib import Path


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
