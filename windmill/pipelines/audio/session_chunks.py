"""The chunks of a session, as the step that joins them is given them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.media.audio.joining import ChunkFile
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import blob_key
from windmill.storage.sessions.chunks import SessionChunk, chunks_of, missing_of
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class WholeRecording:
    """A recording that was not sent in chunks."""

    number: int = 0
    sha256: str = ""
    start_ms: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class SentChunks:
    """What was sent of a session, and how many chunks there should be; 0 if nobody knows."""

    files: Sequence[ChunkFile]
    expected: int = 0


class FetchesChunks(Protocol):
    """Brings the chunks of a session into a folder."""

    async def __call__(self, session: str, folder: Path) -> SentChunks: ...


async def fetch_stored_chunks(session: str, folder: Path) -> SentChunks:
    """Raises NOT_FOUND if there is no such session, ARTIFACT_NOT_FOUND if a chunk is not kept any more."""
    settings = load_settings()
    chunks, missing = await _read(_id_of(session))
    store, files = open_artifact_store(settings), []
    for chunk in chunks:
        path = folder / f"{chunk.number:06d}.chunk"
        await store.fetch(blob_key(chunk.sha256), path)
        files.append(ChunkFile(chunk, path))
    return SentChunks(files, max(missing) + 1 if missing else 0)


async def _read(session: uuid.UUID) -> tuple[list[SessionChunk], list[int]]:
    settings = load_settings()
    async with (
        database.pool(settings, "windmill-audio", max_size=1) as pool,
        transaction(pool, settings) as connection,
    ):
        return await chunks_of(connection, session), await missing_of(connection, session)


def _id_of(session: str) -> uuid.UUID:
    try:
        return uuid.UUID(session)
    except ValueError as error:
        raise WindmillError("NOT_FOUND", f"there is no session {session!r:.60}") from error
