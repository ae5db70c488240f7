"""What holds a snapshot without being a session, on servers that allow it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dev.servers.postgres_programs import installed, newest
from tests.integration.fleet import unavailable
from tests.integration.own_postgres import USER, OwnPostgres
from tests.integration.standby import NAME, Pair
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

FEEDBACK = {"hot_standby_feedback": "on", "wal_receiver_status_interval": "1"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnPostgres]:
    server = OwnPostgres(tmp_path / "postgres", newest())
    server.create()
    server.launch(max_prepared_transactions="2")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    programs = next((one for one in installed() if (one.bin / "pg_basebackup").exists()), None)
    if programs is None:
        unavailable("no pg_basebackup is installed here")
    assert programs is not None
    started = Pair(tmp_path, programs)
    try:
        started.start(**FEEDBACK)
        yield started
    finally:
        started.stop()


@asynccontextmanager
async def connected(server: OwnPostgres) -> AsyncIterator[database.Connection]:
    settings = replace(Settings.from_env(server.variables()), db_name="postgres", db_user=USER)
    async with database.connection(settings, "test") as connection:
        yield connection


async def test_a_prepared_transaction_that_was_forgotten_is_found(server: OwnPostgres) -> None:
    async with connected(server) as connection:
        await connection.execute("CREATE TABLE one ()")
        await connection.execute("BEGIN; INSERT INTO one DEFAULT VALUES")
        await connection.execute("PREPARE TRANSACTION 'forgotten'")
        await connection.execute("INSERT INTO one DEFAULT VALUES")
        [held] = await connection.fetch(queries()["held_snapshots"], 1)
        assert tuple(held) == ("prepared transaction", "forgotten", 2)
        assert await connection.fetch(queries()["held_snapshots"], 100) == []


@pytest.mark.slow(reason="10 s: starts two servers, and one of them twice")
async def test_a_long_query_on_a_standby_is_found_by_its_feedback_or_its_slot(pair: Pair) -> None:
    assert await held_while_the_standby_reads(pair) == ("standby", NAME)
    async with connected(pair.primary) as connection:
        await connection.fetch("SELECT pg_create_physical_replication_slot('old')")
    pair.standby.stop()
    pair.standby.launch(cluster_name=NAME, primary_slot_name="old", **FEEDBACK)
    assert await held_while_the_standby_reads(pair) == ("replication slot", "old")


async def held_while_the_standby_reads(pair: Pair) -> tuple[str, str]:
    """What is found at the primary once its transactions have gone on far enough."""

    async with connected(pair.primary) as connection, connected(pair.standby) as reader:

        async def held() -> list[tuple[str, str]]:
            await connection.execute("CREATE TEMP TABLE IF NOT EXISTS one (); INSERT INTO one DEFAULT VALUES")
            return [(row["kind"], row["name"]) for row in await connection.fetch(queries()["held_snapshots"], 5)]

        async with reader.transaction(isolation="repeatable_read", readonly=True):
            await reader.fetch("SELECT FROM pg_class LIMIT 1")
            await until(held)
            [found] = await held()
    return found
