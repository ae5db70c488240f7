"""What holds a snapshot without being a session, on a server that allows it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.servers.postgres_programs import newest
from tests.integration.own_postgres import USER, OwnPostgres
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = pytest.mark.database


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnPostgres]:
    server = OwnPostgres(tmp_path / "postgres", newest())
    server.create()
    server.launch(max_prepared_transactions="2")
    try:
        yield server
    finally:
        server.stop()


async def test_a_prepared_transaction_that_was_forgotten_is_found(server: OwnPostgres) -> None:
    settings = replace(Settings.from_env(server.variables()), db_name="postgres", db_user=USER)
    async with database.connection(settings, "test") as connection:
        await connection.execute("CREATE TABLE one ()")
        await connection.execute("BEGIN; INSERT INTO one DEFAULT VALUES")
        await connection.execute("PREPARE TRANSACTION 'forgotten'")
        await connection.execute("INSERT INTO one DEFAULT VALUES")
        [held] = await connection.fetch(queries()["held_snapshots"], 1)
        assert tuple(held) == ("prepared transaction", "forgotten", 2)
        assert await connection.fetch(queries()["held_snapshots"], 100) == []
