"""Files that come in pieces. What has come of one lies in a file, whose size tells where it goes on: after a cut, after
an answer that was lost, or in another process, as long as all see the folder."""

import asyncio
import fcntl
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from windmill.core.errors import WindmillError
from windmill.storage.artifacts.files import explained_disk_errors, make_folder, sync_folder, temporary_file

FOLDER = "partial"
KEPT_SECONDS = 86_400
"""Since the last byte came."""
MOST_OPEN = 100
"""Of one principal."""


@dataclass(frozen=True)
class PartialUpload:
    """A file of which `length` bytes are to come; `asset` is its id once all are there."""

    upload_id: str
    principal: str
    name: str
    length: int
    asset: str = ""


class PartialUploads:
    """In a folder. All methods but `appending` block for a moment. `sync` returns once a file is on the disk."""

    def __init__(self, folder: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._folder = folder
        self._sync = sync

    def begin(self, principal: str, name: str, length: int) -> PartialUpload:
        """Raises CONFLICT if the principal has begun too many. What nobody goes on with is forgotten here."""
        self.forget_old(time.time() - KEPT_SECONDS)
        if sum(one.principal == principal and not one.asset for one in self._all()) >= MOST_OPEN:
            remedy = "finish or delete some of them"
            raise WindmillError("CONFLICT", f"there are {MOST_OPEN} uploads that are not finished", remedy)
        upload = PartialUpload(uuid.uuid4().hex, principal, name, length)
        with explained_disk_errors(self._folder):
            make_folder(self._folder)
            self.data(upload).touch()
            self._note(upload)
        return upload

    def find(self, upload_id: str, principal: str) -> PartialUpload:
        """Raises NOT_FOUND, also for one of another principal."""
        with suppress(OSError, ValueError, TypeError):
            upload = PartialUpload(**json.loads((self._folder / f"{upload_id}.json").read_bytes()))
            if upload.principal == principal:
                return upload
        raise WindmillError("NOT_FOUND", f"there is no upload {upload_id}", "begin it again")

    def data(self, upload: PartialUpload) -> Path:
        """The file with what has come."""
        return self._folder / f"{upload.upload_id}.part"

    def offset(self, upload: PartialUpload) -> int:
        """How many bytes have come."""
        return upload.length if upload.asset else self.data(upload).stat().st_size

    def expires(self, upload: PartialUpload) -> float:
        """When it is forgotten if nothing more comes."""
        path = self._folder / f"{upload.upload_id}.json" if upload.asset else self.data(upload)
        return path.stat().st_mtime + KEPT_SECONDS

    @asynccontextmanager
    async def appending(self, upload: PartialUpload, offset: int) -> AsyncIterator[IO[bytes]]:
        """The file, to which nobody else appends meanwhile; what was written is on the disk afterwards, whatever has
        happened. Raises CONFLICT where the upload is not at this offset."""
        target = await asyncio.to_thread(self._locked, upload, offset)
        try:
            yield target
        finally:
            # Whoever is cancelled meanwhile leaves the file locked until all is on the disk.
            await asyncio.shield(asyncio.to_thread(self._settle, target))

    def _locked(self, upload: PartialUpload, offset: int) -> IO[bytes]:
        with explained_disk_errors(self._folder):
            target = self.data(upload).open("ab")
        try:
            _lock(target)
            at = target.seek(0, os.SEEK_END)
            if at != offset:
                raise WindmillError("CONFLICT", f"the upload is at {at}, not at {offset}", "go on from there")
        except BaseException:
            target.close()
            raise
        return target

    def _settle(self, target: IO[bytes]) -> None:
        with explained_disk_errors(self._folder), target:
            target.flush()
            self._sync(target.fileno())

    def finish(self, upload: PartialUpload, asset: str) -> PartialUpload:
        """It is stored as this asset; that is told to whoever missed it."""
        finished = replace(upload, asset=asset)
        with explained_disk_errors(self._folder):
            self._note(finished)
            self.data(upload).unlink(missing_ok=True)
        return finished

    def forget(self, upload_id: str) -> None:
        for suffix in (".json", ".part"):
            (self._folder / f"{upload_id}{suffix}").unlink(missing_ok=True)

    def forget_old(self, before: float) -> None:
        """What was touched last before this time."""
        last: dict[str, float] = {}
        for path in self._folder.glob("*.*"):
            with suppress(OSError):
                last[path.stem] = max(last.get(path.stem, 0.0), path.stat().st_mtime)
        for upload_id, at in last.items():
            if at < before:
                self.forget(upload_id)

    def _all(self) -> Iterator[PartialUpload]:
        for path in self._folder.glob("*.json"):
            with suppress(OSError, ValueError, TypeError):
                yield PartialUpload(**json.loads(path.read_bytes()))

    def _note(self, upload: PartialUpload) -> None:
        with temporary_file(self._folder) as (path, opened):
            opened.write(json.dumps(asdict(upload)).encode())
            opened.flush()
            self._sync(opened.fileno())
            path.replace(self._folder / f"{upload.upload_id}.json")
        sync_folder(self._folder)


def _lock(target: IO[bytes]) -> None:
    """Until it is closed."""
    try:
        fcntl.flock(target, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WindmillError("CONFLICT", "another request sends a piece of this upload just now") from error
