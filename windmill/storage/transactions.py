"""Transactions on a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import CONNECT_SECONDS, Connection, Pool, translate_errors


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


@asynccontextmanager
async def single_statement(pool: Pool, settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """A connection for one statement, or for some that only read: each commits by itself, and sees what others have
    committed before it, as in a transaction. READ COMMITTED, as the pool's sessions are."""
    with translate_errors(settings):
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
            yield connection
