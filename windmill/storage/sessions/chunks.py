"""The chunks of a session: rows whose bytes are in the store of artifacts, by their digest."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from windmill.core.errors import WindmillError
from windmill.storage.artifacts.store import blob_key
from windmill.storage.database import Connection
from windmill.storage.queries import queries

MOST_MISSING = 1_000


@dataclass(frozen=True)
class SessionChunk:
    """A piece of a recording; where it begins and how long it is, if whoever sent it said so."""

    number: int
    media_type: str
    bytes: int
    sha256: str
    start_ms: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class LastChunk:
    """The chunk with the greatest number, and how long ago it came."""

    number: int
    sha256: str
    duration_ms: int | None
    age_seconds: float


async def chunks_of(connection: Connection, session: uuid.UUID) -> list[SessionChunk]:
    """In their order. Until the transaction ends no other one is added, so that none comes too late unnoticed."""
    held: datetime | None = await connection.fetchval(queries()["hold_session"], session)
    if held is None:
        raise no_session(session)
    return [SessionChunk(**row) for row in await connection.fetch(queries()["read_chunks"], session)]


async def missing_of(connection: Connection, session: uuid.UUID) -> list[int]:
    """Numbers that have not come; the first ones, if there are very many."""
    return [row["number"] for row in await connection.fetch(queries()["missing_chunks"], session, MOST_MISSING)]


async def find_chunk(connection: Connection, session: uuid.UUID, number: int) -> SessionChunk | None:
    row = await connection.fetchrow(queries()["read_chunk"], session, number)
    return SessionChunk(**row) if row else None


async def find_last_chunk(connection: Connection, session: uuid.UUID) -> LastChunk | None:
    row = await connection.fetchrow(queries()["last_chunk"], session)
    return LastChunk(**row) if row else None


async def add_chunk(connection: Connection, session: uuid.UUID, chunk: SessionChunk) -> None:
    """The session is locked, and has none with this number."""
    await connection.execute(
        queries()["insert_chunk"],
        *(session, chunk.number, chunk.media_type, chunk.bytes, chunk.sha256, blob_key(chunk.sha256)),
        *(chunk.start_ms, chunk.duration_ms),
    )
    await connection.execute(queries()["note_chunk"], session)


def no_session(session: uuid.UUID) -> WindmillError:
    return WindmillError("NOT_FOUND", f"there is no session {session}")
