"""Images that are artifacts, artifact:DIGEST: files of the store that ARTIFACTS_URL names, in a folder or a bucket.

They pass the same border as all images: the limits on bytes, and nothing outside the store. Bytes that are not those of
the digest are refused, as nobody wants the boxes of another picture.
"""

import asyncio
import hashlib
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.net.artifact_urls import artifact_digest, artifact_path
from windmill.kernels.net.store_urls import StoreUrl
from windmill.media.image.file_reader import FileReader
from windmill.media.image.reader_threads import ReaderThreads

if TYPE_CHECKING:
    from windmill.media.image.store_reader import StoreReader


class ArtifactReader:
    """Reads what the store has under a digest."""

    def __init__(self, settings: ImageSettings, seconds: float) -> None:
        self._settings = settings
        self._place = settings.artifacts_url
        self._seconds = seconds
        self._opened = AsyncExitStack()
        self._threads: ReaderThreads | None = None
        self._bucket: StoreReader | None = None

    async def __aenter__(self) -> "ArtifactReader":
        if isinstance(self._place, StoreUrl):
            from windmill.media.image.store_reader import StoreReader

            own = replace(self._settings, image_store_allow=(f"{str(self._place).rstrip('/')}/",))
            self._bucket = StoreReader(own, self._seconds)
        else:
            files = FileReader(self._place, self._settings.max_image_bytes, setting="ARTIFACTS_URL")
            self._threads = self._opened.enter_context(ReaderThreads(files.read))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def read(self, address: str) -> bytes:
        """The bytes of one artifact."""
        try:
            digest = artifact_digest(address)
        except ValueError as error:
            raise WindmillError("IMAGE_UNREADABLE", f"{address:.100} {error}") from error
        data = await self._read(artifact_path(digest))
        if await asyncio.to_thread(_digest_of, data) != digest:
            said = f"the bytes of {address} in the store are not those that were stored"
            raise WindmillError("IMAGE_UNREADABLE", said, "find it: python -m windmill artifacts verify")
        return data

    async def _read(self, path: str) -> bytes:
        if self._bucket:
            return await self._bucket.read(f"{str(self._place).rstrip('/')}/{path}")
        assert self._threads
        return await self._threads.read(path)


def _digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
