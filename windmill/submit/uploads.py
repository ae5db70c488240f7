"""Images that people send in: kept in a folder below IMAGE_ROOT, where all workers read them. A file is named by its
digest, so what is sent twice is one image, and no name that a user chose is part of a path."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from windmill.core.errors import Problem
from windmill.kernels.media.image_header import format_of
from windmill.kernels.media.sample import HEAD_BYTES, sample_of
from windmill.storage.artifacts.files import explained_disk_errors, hashed, make_folder, publish, temporary_file
from windmill.storage.artifacts.store import CHUNK
from windmill.submit.entry_types import BadEntry, FoundImage

MOST_NAME = 255
NAMELESS = "image"


class UploadFolder:
    """Keeps files of at most `most_bytes`."""

    def __init__(self, folder: Path, image_root: Path, most_bytes: int) -> None:
        self._folder, self._image_root, self._most = folder, image_root, most_bytes

    async def keep(self, source: IO[bytes], name: str) -> FoundImage | BadEntry:
        """Store a file, if it begins as an image; once this returns, a power cut does not lose it."""
        return await asyncio.to_thread(self._keep, source, shown_name(name))

    def trouble(self) -> Problem | None:
        """Why nothing can be sent in, if the folder is not where workers read."""
        if self._folder.resolve().is_relative_to(self._image_root.resolve()):
            return None
        allowed = f"must lie below IMAGE_ROOT={self._image_root}, where workers read"
        return Problem("GATEWAY_UPLOADS_DIR", str(self._folder), allowed)

    def _keep(self, source: IO[bytes], name: str) -> FoundImage | BadEntry:
        head = source.read(HEAD_BYTES)
        form = format_of(head)
        if form is None:
            return BadEntry(name, "does not begin as an image" if head else "is empty")
        folder = self._folder.resolve()
        with explained_disk_errors(folder):
            make_folder(folder)
            with temporary_file(folder) as (temporary, target):
                sha256, size = hashed(self._pieces(head, source), target.write)
                if size > self._most:
                    return BadEntry(name, f"is larger than {self._most:,} bytes")
                final = folder / sha256[:2] / f"{sha256}.{form.lower()}"
                make_folder(final.parent)
                publish(target, temporary, final)
        return FoundImage(name, str(final), None, sample=sample_of(size, head))

    def _pieces(self, head: bytes, source: IO[bytes]) -> Iterator[bytes]:
        """All of it, or a little more than may be kept."""
        yield head
        left = self._most - len(head)
        while left >= 0 and (piece := source.read(CHUNK)):
            left -= len(piece)
            yield piece


def shown_name(name: str) -> str:
    """The last part of the name that the user's program sent, fit to be stored."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(letter for letter in last if letter.isprintable()).strip()
    return printable[:MOST_NAME] or NAMELESS
