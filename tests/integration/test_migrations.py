"""Migrations against a real PostgreSQL."""

import asyncio

import pytest

from windmill import database
from windmill.migrations import migrate
from windmill.settings import Settings

pytestmark = pytest.mark.database


async def test_a_second_run_applies_nothing(settings: Settings) -> None:
    async with database.connection(settings, "test") as connection:
        assert await migrate(connection) == []


async def test_two_machines_at_once_apply_each_migration_once(settings: Settings) -> None:
    async def one_machine() -> int:
        async with database.connection(settings, "test") as connection:
            return len(await migrate(connection))

    async with database.connection(settings, "test") as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    applied = await asyncio.gather(*(one_machine() for _ in range(4)))
    assert sorted(applied)[:3] == [0, 0, 0]
    assert max(applied) > 0
