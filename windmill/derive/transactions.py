"""Transactions of the post-processors."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import Stage
from windmill.storage.database import CONNECT_SECONDS, Connection, Pool, translate_errors
from windmill.storage.queries import queries


@asynccontextmanager
async def transaction(pool: Pool, settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """Commit the block when it ends well, else roll it back. READ COMMITTED, because claims and leases need each
    statement to see what others have committed before it."""
    with translate_errors(settings):
        async with (
            pool.acquire(timeout=CONNECT_SECONDS) as connection,
            connection.transaction(isolation="read_committed"),
        ):
            yield connection


async def set_writing_stage(connection: Connection, stage: Stage) -> None:
    """Tell the triggers which stage writes in this transaction: rows that others write become stale."""
    await connection.execute(queries()["write_as_stage"], stage)


async def lock_images(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> None:
    """Lock these images (ascending) for the stage until the transaction ends; waits for whoever holds them. Call it
    before anything is read."""
    await connection.execute(queries()["lock_images"], stage, list(image_ids))
