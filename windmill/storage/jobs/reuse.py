"""Results of tasks that are used again by tasks that are made of the same."""

from dataclasses import dataclass

import orjson

from windmill.core.jsonb import parse_object
from windmill.storage.database import Connection
from windmill.storage.jobs.claims import save_artifacts
from windmill.storage.jobs.rows import ClaimedTask, Document, StoredArtifact
from windmill.storage.queries import queries


@dataclass(frozen=True)
class MadeBefore:
    """What another task has made of the same."""

    output: Document
    artifacts: tuple[StoredArtifact, ...]
    warnings: tuple[str, ...]


async def take_over_made(connection: Connection, task: ClaimedTask, made_of: str) -> MadeBefore | None:
    """What was made of the same before. Its files belong to this task, too, from now on, so they stay when the other
    job is deleted. What this task makes can be found once it has succeeded. Only in a transaction of its own, as it
    locks another job."""
    found = await _find(connection, made_of)
    if found:
        await save_artifacts(connection, task.key, found.artifacts)
    await connection.execute(queries()["note_made_of"], *task.key, task.lease, made_of)
    return found


async def _find(connection: Connection, made_of: str) -> MadeBefore | None:
    key = await connection.fetchrow(queries()["lock_made"], made_of)
    row = key and await connection.fetchrow(queries()["read_made"], *key, made_of)
    if not row:
        return None
    artifacts = tuple(StoredArtifact(**one) for one in orjson.loads(row["artifacts"] or "[]"))
    return MadeBefore(parse_object(row["output"]), artifacts, tuple(orjson.loads(row["warnings"] or "[]")))
