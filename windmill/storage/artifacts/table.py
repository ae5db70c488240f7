"""The table of artifacts: what the files in the store are, and to which tasks they belong."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from windmill.storage.artifacts.sweep import RecordedBlob
from windmill.storage.database import Connection
from windmill.storage.queries import queries

GIVEN = -1
"""The position of files that a job was submitted with; each is named INPUT/NUMBER."""
PAGE = 1_000


@dataclass(frozen=True)
class ArtifactRow:
    """A file of a job."""

    position: int
    shard: int
    name: str
    media_type: str
    bytes: int
    key: str


async def read_artifacts(connection: Connection, job_id: int, positions: Sequence[int]) -> list[ArtifactRow]:
    """The files of a job that belong to steps at these positions."""
    rows = await connection.fetch(queries()["read_artifacts"], job_id, list(set(positions)))
    return [ArtifactRow(**row) for row in rows]


async def find_artifact(connection: Connection, key: str) -> ArtifactRow | None:
    """Any of the rows that name this key."""
    row = await connection.fetchrow(queries()["find_artifact"], key)
    return ArtifactRow(**row) if row else None


class ArtifactTable:
    """The rows as a sweep reads them, a page at a time: without a long transaction, and in the order of keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def recorded(self) -> AsyncIterator[RecordedBlob]:
        last = ""
        while page := await self._connection.fetch(queries()["list_recorded_keys"], last, PAGE):
            for row in page:
                yield RecordedBlob(row["key"], row["bytes"])
            last = page[-1]["key"]

    async def is_recorded(self, key: str) -> bool:
        return await find_artifact(self._connection, key) is not None
