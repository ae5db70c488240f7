"""Artifacts in a bucket of an object store (S3, Google Cloud Storage, Azure Blob Storage), below a prefix.

A file appears there when its last part is confirmed, never before. Parts of an upload that was killed stay hidden: let
a rule of the bucket remove incomplete uploads after a day; Azure does so by itself. The client's errors quote requests
and answers of any length, so nothing of them leaves this module but the store's own word for what is wrong.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from windmill.core.bucket_client import STORES, store_word
from windmill.core.errors import WindmillError
from windmill.kernels.net.store_urls import StoreUrl
from windmill.storage.artifacts.files import (
    RunningDigest,
    chunks,
    explained_disk_errors,
    hashed,
    open_source,
    publish,
    temporary_file,
)
from windmill.storage.artifacts.store import (
    StoredBlob,
    StoredEntry,
    blob_key,
    checked_key,
    checked_prefix,
    is_key,
    must_match,
    not_stored,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta

    from windmill.core.bucket_client import BucketClient

PART = 8 * 1024 * 1024
"""Bytes of a part of an upload, which has at most 10,000 parts."""
PARTS = 9_000
READ = PART // 2
"""Bytes that are asked for at a time: the client keeps some answers in memory for a while."""
AT_ONCE = 2
"""Parts on their way at the same time; each takes its size in memory."""
LISTED_AT_ONCE = 1_000
SMALL = PART
"""Files up to this size are sent in one request."""
AGAIN = 8
"""How often a file is sent again. So many programs may send the same one at the same time, too."""
_VOID_PARTS = "InvalidBlockList"
_NOT_JOINED = "InvalidMultipartResponse"
"""The client's word for the answer of S3 that begins with 200 and ends with an error."""
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")


class BucketStore:
    """Keeps each file under its digest in a bucket."""

    def __init__(self, bucket: "BucketClient", place: StoreUrl) -> None:
        self._bucket = bucket
        self._place = place
        self._prefix = f"{place.key.rstrip('/')}/" if place.key else ""

    async def put(self, source: Path, media_type: str) -> StoredBlob:
        """Read twice: the digest is the name, and a name cannot be changed later without copying all again. The second
        reading is hashed too, so a file that changes meanwhile is never stored under the digest of another."""
        sha256, size = await asyncio.to_thread(_digest_of_file, source)
        key = blob_key(sha256)
        with self._explained():
            await self._upload_until_joined(source, key, size, media_type)
        return StoredBlob(sha256, size, key, media_type)

    async def _upload_until_joined(self, source: Path, key: str, size: int, media_type: str) -> None:
        """Azure knows a part by its number alone: of several programs that send the same file at once, the first to end
        makes the parts of the others void. They send it again, and each time one of them gets through. S3 answers 200
        before it joins the parts, and if it fails then, only the body says so: such a file is to be sent again, too."""
        for _ in range(AGAIN):
            try:
                return await self._upload(source, key, size, media_type)
            except Exception as error:
                if store_word(error) != _VOID_PARTS and _NOT_JOINED not in str(error):
                    raise
        return await self._upload(source, key, size, media_type)

    async def _upload(self, source: Path, key: str, size: int, media_type: str) -> None:
        with await asyncio.to_thread(open_source, source) as opened:
            pieces = chunks(opened, threading.Event())
            attributes: Any = {"Content-Type": media_type}
            if size <= SMALL:
                data = b"".join(pieces)
                must_match(key, hashed([data])[0])
                await self._bucket.put_async(self._path(key), data, attributes=attributes, use_multipart=False)
                return
            await self._bucket.put_async(
                self._path(key),
                _unchanged(pieces, key),
                attributes=attributes,
                use_multipart=True,
                chunk_size=max(PART, size // PARTS),
                max_concurrency=AT_ONCE,
            )

    async def fetch(self, key: str, target: Path) -> None:
        entry = await self.find(key)
        if entry is None:
            raise not_stored(key)
        with explained_disk_errors(target.parent), temporary_file(target.parent) as (temporary, copy):
            digest = RunningDigest(copy.write)
            async for piece in self.read_range(key, 0, entry.size):
                await asyncio.to_thread(digest.update, piece)
            must_match(key, digest.hex())
            await asyncio.to_thread(publish, copy, temporary, target)

    async def read_range(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Asked for in parts, each with its own time limit and tries, so a long file may take as long as it needs."""
        entry = await self.find(key)
        if entry is None:
            raise not_stored(key)
        end = min(start + length, entry.size)
        for begin in range(start, end, READ):
            with self._explained(key):
                part = await self._bucket.get_range_async(self._path(key), start=begin, end=min(begin + READ, end))
            yield bytes(part)

    async def delete(self, key: str) -> None:
        try:
            with self._explained(key):
                await self._bucket.delete_async(self._path(checked_key(key)))
        except WindmillError as error:
            if error.code != "ARTIFACT_NOT_FOUND":
                raise

    async def list(self, prefix: str = "") -> AsyncIterator[StoredEntry]:
        """All list in the order of keys. The client asks for whole folders, so a prefix is matched here as well."""
        checked_prefix(prefix)
        folder = self._path(prefix[:2]) if len(prefix) > 1 else self._prefix
        with self._explained():
            async for page in self._bucket.list(folder.rstrip("/") or None, chunk_size=LISTED_AT_ONCE):
                for meta in page:
                    entry = self._entry(meta)
                    if entry and entry.key.startswith(prefix):
                        yield entry

    async def find(self, key: str) -> StoredEntry | None:
        try:
            with self._explained(key):
                return self._entry(await self._bucket.head_async(self._path(checked_key(key))))
        except WindmillError as error:
            if error.code != "ARTIFACT_NOT_FOUND":
                raise
            return None

    async def forget_incoming(self, before: datetime) -> int:  # noqa: ARG002 - see ArtifactStore
        """A store shows no unfinished uploads; a rule of the bucket removes them."""
        return 0

    def _entry(self, meta: "ObjectMeta") -> StoredEntry | None:
        """None for what is no artifact, such as a file that somebody put beside them."""
        key = meta["path"].removeprefix(self._prefix)
        return StoredEntry(key, meta["size"], meta["last_modified"]) if is_key(key) else None

    def _path(self, key: str) -> str:
        return self._prefix + key

    @contextmanager
    def _explained(self, read: str = "") -> Iterator[None]:
        """`read` is the key that is asked for. Where none is, what is not found can only be the bucket."""
        try:
            yield
        except WindmillError:
            raise
        except FileNotFoundError as error:
            word = store_word(error)
            if not read or word in _NO_BUCKET:
                raise self._unavailable(word or "there is no such bucket") from error
            raise not_stored(read) from error
        except Exception as error:
            raise self._unavailable(store_word(error)) from error

    def _unavailable(self, word: str) -> WindmillError:
        said = f"the store {self._place} does not answer as it should{f' ({word})' if word else ''}"
        remedy = f"start it, or correct ARTIFACTS_URL or {STORES[self._place.scheme].account}"
        return WindmillError("ARTIFACT_STORE_UNAVAILABLE", said, remedy)


def _digest_of_file(source: Path) -> tuple[str, int]:
    with open_source(source) as opened:
        return hashed(chunks(opened, threading.Event()))


async def _unchanged(pieces: Iterator[bytes], key: str) -> AsyncIterator[bytes]:
    """The pieces of a file; an error before the last one is confirmed if they are not those that the key says."""
    digest = RunningDigest()
    while piece := await asyncio.to_thread(next, pieces, b""):
        await asyncio.to_thread(digest.update, piece)
        yield piece
    must_match(key, digest.hex())
