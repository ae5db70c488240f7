"""What a store of artifacts does, wherever it keeps its bytes.

A file is there whole or not at all, and is named by its digest: two files with the same bytes are one, no name that a
user chose is part of a key, and whoever reads a file can tell whether it is still what was written.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.kernels.net.artifact_urls import artifact_path

CHUNK = 1024 * 1024
"""Bytes that are read, hashed and written at a time, so a file of any size needs little memory."""
_KEY = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}")
_PREFIX = re.compile(r"[0-9a-f]?|[0-9a-f]{2}(/[0-9a-f]{0,64})?")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """What was stored: its digest, its size, where it lies, and its kind."""

    sha256: str
    size: int
    key: str
    media_type: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """What a listing tells of a file in the store."""

    key: str
    size: int
    modified: datetime


class ArtifactStore(Protocol):
    """Keeps files by their digest. Every method raises WindmillError."""

    async def put(self, source: Path, media_type: str) -> StoredBlob:
        """Store a regular file; when this returns, a power cut does not lose it. Links are not followed: an engine
        could otherwise have any file of the machine published."""
        ...

    async def fetch(self, key: str, target: Path) -> None:
        """Copy a file to `target`, which appears whole, and only if its digest is right."""
        ...

    def read_range(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """A part of a file, in pieces; what lies beyond its end is left out."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a file; one that is gone already is no error."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredEntry]:
        """All files whose keys begin with `prefix`, in the order of their keys."""
        ...

    async def find(self, key: str) -> StoredEntry | None:
        """What a listing would tell of one file."""
        ...

    async def forget_incoming(self, before: datetime) -> int:
        """Remove what killed programs left half written before this time, where the store shows it; how many."""
        ...


def blob_key(sha256: str) -> str:
    """Where a file with this digest lies."""
    return checked_key(artifact_path(sha256))


def is_key(text: str) -> bool:
    """Whether a file of this name can be an artifact."""
    return bool(_KEY.fullmatch(text))


def checked_key(key: str) -> str:
    """The key, if it can be one: it becomes part of a path, and may come from a request."""
    if not is_key(key):
        raise WindmillError("USAGE", f"{key!r:.100} is not the key of an artifact")
    return key


def checked_prefix(prefix: str) -> str:
    """The beginning of a key, if it can be one."""
    if not _PREFIX.fullmatch(prefix):
        raise WindmillError("USAGE", f"{prefix!r:.100} is not how keys of artifacts begin")
    return prefix


def not_stored(key: str) -> WindmillError:
    """The error for a file that is not there."""
    return WindmillError("ARTIFACT_NOT_FOUND", f"the store has no artifact {key}")


def must_match(key: str, sha256: str) -> None:
    """Refuse bytes that are not those that the key was made of."""
    if blob_key(sha256) != key:
        raise WindmillError("CHECKSUM_MISMATCH", f"the bytes of artifact {key} are not those that were stored")
