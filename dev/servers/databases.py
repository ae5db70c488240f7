"""Temporary databases for the demo, benchmarks and tests."""

from dataclasses import replace

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage import database


async def create(settings: DatabaseSettings, name: str, *, template: str = "template1") -> None:
    """An empty database, or a copy of `template`."""
    # Copying files costs half of what writing every page to the log costs, as `wal_log` does.
    await _administer(settings, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")


async def drop(settings: DatabaseSettings, name: str) -> None:
    """Drop a database, if it exists, and close the connections to it."""
    await _administer(settings, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _administer(settings: DatabaseSettings, statement: str) -> None:
    async with database.connection(replace(settings, db_name="postgres"), "windmill-admin") as connection:
        await connection.execute(statement)
