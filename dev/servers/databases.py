"""Temporary databases for the demo, benchmarks and tests."""

from dataclasses import replace

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage import database


async def create(settings: DatabaseSettings, name: str, *, template: str = "template1") -> None:
    """An empty database, or a copy of `template`."""
    await _administer(settings, f"CREATE DATABASE {name} TEMPLATE {template}")


async def drop(settings: DatabaseSettings, name: str) -> None:
    """Drop a database, if it exists, and close the connections to it."""
    await _administer(settings, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _administer(settings: DatabaseSettings, statement: str) -> None:
    async with database.connection(replace(settings, db_name="postgres"), "windmill-admin") as connection:
        await connection.execute(statement)
