"""Marks of stale images, and who takes them."""

from typing import Any

import asyncpg

from windmill.core.stages import Stage

STAGE: Stage = "consensus"
MARK = "INSERT INTO stale (stage, image_id) SELECT $1, unnest($2::bigint[])"


async def marks(rows: asyncpg.Connection, stage: str = STAGE) -> list[dict[str, Any]]:
    found = await rows.fetch(
        "SELECT image_id, due <= now() AS due, extract(epoch FROM due - now())::float8 AS seconds, deferred,"
        " lease IS NOT NULL AS leased, tries FROM stale WHERE stage = $1 ORDER BY image_id, id",
        stage,
    )
    return [dict(row) for row in found]
