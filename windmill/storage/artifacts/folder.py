"""Artifacts in a folder of this machine, or of a share that several machines mount."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar

from windmill.storage.artifacts.files import (
    chunks,
    explained_disk_errors,
    hashed,
    make_folder,
    open_source,
    publish,
    temporary_file,
)
from windmill.storage.artifacts.store import (
    CHUNK,
    StoredBlob,
    StoredEntry,
    blob_key,
    checked_key,
    checked_prefix,
    is_key,
    must_match,
    not_stored,
)

V = TypeVar("V")
INCOMING = "incoming"
"""Holds files that are not whole yet; a process that is killed leaves one there, which `forget_incoming` removes."""


class FolderStore:
    """Keeps each file under its digest. Reading and writing runs in threads, so the event loop is never held up."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / INCOMING

    async def put(self, source: Path, media_type: str) -> StoredBlob:
        return await _stoppable(lambda stop: self._put(source, media_type, stop))

    def _put(self, source: Path, media_type: str, stop: threading.Event) -> StoredBlob:
        """A file that is there already is replaced: that mends one that the disk has damaged, and makes it young again,
        so that no sweep takes it for left over before its row is written."""
        with open_source(source) as opened, explained_disk_errors(self._root):
            make_folder(self._incoming)
            with temporary_file(self._incoming) as (temporary, target):
                sha256, size = hashed(chunks(opened, stop), target.write)
                final = self._root / blob_key(sha256)
                make_folder(final.parent)
                publish(target, temporary, final)
        return StoredBlob(sha256, size, blob_key(sha256), media_type)

    async def fetch(self, key: str, target: Path) -> None:
        checked_key(key)
        await _stoppable(lambda stop: self._fetch(key, target, stop))

    def _fetch(self, key: str, target: Path, stop: threading.Event) -> None:
        folder = target.parent
        with self._opened(key) as opened, explained_disk_errors(folder), temporary_file(folder) as (temporary, copy):
            sha256, _ = hashed(chunks(opened, stop), copy.write)
            must_match(key, sha256)
            publish(copy, temporary, target)

    def _opened(self, key: str) -> IO[bytes]:
        with explained_disk_errors(self._root):
            try:
                return (self._root / key).open("rb")
            except FileNotFoundError:
                raise not_stored(key) from None

    async def read_range(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        opened = await asyncio.to_thread(self._opened, checked_key(key))
        with opened, explained_disk_errors(self._root):
            opened.seek(start)
            left = length
            while left > 0 and (piece := await asyncio.to_thread(opened.read, min(CHUNK, left))):
                left -= len(piece)
                yield piece

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._delete, checked_key(key))

    def _delete(self, key: str) -> None:
        with explained_disk_errors(self._root):
            (self._root / key).unlink(missing_ok=True)

    async def list(self, prefix: str = "") -> AsyncIterator[StoredEntry]:
        for folder in await asyncio.to_thread(self._folders, checked_prefix(prefix)):
            for entry in await asyncio.to_thread(self._entries, folder):
                if entry.key.startswith(prefix):
                    yield entry

    def _folders(self, prefix: str) -> Sequence[str]:
        with explained_disk_errors(self._root):
            names = [one.name for one in self._root.iterdir()] if self._root.is_dir() else []
        return sorted(name for name in names if len(name) == len("ab") and name.startswith(prefix[:2]))

    def _entries(self, folder: str) -> Sequence[StoredEntry]:
        with explained_disk_errors(self._root):
            try:
                keys = [f"{folder}/{one.name}" for one in (self._root / folder).iterdir()]
            except FileNotFoundError:
                return ()
            found = [self._entry(key) for key in keys if is_key(key)]
        return sorted((one for one in found if one), key=lambda entry: entry.key)

    async def find(self, key: str) -> StoredEntry | None:
        return await asyncio.to_thread(self._find, checked_key(key))

    def _find(self, key: str) -> StoredEntry | None:
        with explained_disk_errors(self._root):
            return self._entry(key)

    def _entry(self, key: str) -> StoredEntry | None:
        try:
            state = (self._root / key).stat()
        except FileNotFoundError:
            return None
        return StoredEntry(key, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))

    async def forget_incoming(self, before: datetime) -> int:
        """Remove what killed processes left half written before this time; how many files that were."""
        return await asyncio.to_thread(self._forget_incoming, before)

    def _forget_incoming(self, before: datetime) -> int:
        with explained_disk_errors(self._root):
            found = list(self._incoming.iterdir()) if self._incoming.is_dir() else []
            old = [one for one in found if _modified_before(one, before)]
            for one in old:
                one.unlink(missing_ok=True)
        return len(old)


def _modified_before(path: Path, time: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < time
    except FileNotFoundError:  # it became whole just now
        return False


async def _stoppable(work: Callable[[threading.Event], V]) -> V:
    """Run work in a thread. If the caller is cancelled the work stops within one piece, and has tidied up before the
    cancellation goes on."""
    stop = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # looked at, so that asyncio does not report it
        raise
