"""QUEUE_HOST and DB_HOST with more than one server, of which some are away."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.integration.fleet import Fleet
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database

pytestmark = [pytest.mark.broker, pytest.mark.database]

TIMES = 6
"""So often that whoever is away is asked first at least once, but for one chance in 64."""


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that accepts and never says a word, as one does whose machine hangs."""
    links: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: links.append(writer), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for link in links:
        link.transport.abort()


def beside(settings: Settings, port: int) -> Settings:
    """The same servers, each beside another one."""
    return replace(
        settings, queue_host=f"127.0.0.1:{port},{settings.queue_host}", db_host=f"{settings.db_host},127.0.0.1:{port}"
    )


async def test_where_one_of_two_brokers_refuses_every_connection_reaches_the_other(settings: Settings) -> None:
    for _ in range(TIMES):
        async with broker.connection(beside(settings, 1), "test") as opened:
            assert not opened.is_closed


async def test_where_one_of_two_databases_refuses_every_connection_reaches_the_other(settings: Settings) -> None:
    two = beside(settings, 1)
    for _ in range(TIMES):
        async with database.connection(two, "test") as opened, database.pool(two, "test") as pool:
            assert await opened.fetchval("SELECT 1") == await pool.fetchval("SELECT 1") == 1


@pytest.mark.slow(reason="5 s each: connecting has to time out")
@pytest.mark.parametrize("server", ["broker", "database"])
async def test_a_server_that_hangs_keeps_nobody_from_the_other_for_long(
    server: str, settings: Settings, silent: int
) -> None:
    connect = broker.connection if server == "broker" else database.connection
    began, took = time.monotonic(), 0.0
    while took < 1 and time.monotonic() - began < 30:
        start = time.monotonic()
        async with connect(beside(settings, silent), "test"):
            took = time.monotonic() - start
    assert 1 < took < 6, "half of the ten seconds, once it was asked first"


@pytest.mark.slow(reason="10 s each: connecting has to time out")
@pytest.mark.parametrize("name", ["queue_password", "db_password"])
async def test_a_wrong_password_is_told_although_another_server_is_away(name: str, settings: Settings) -> None:
    wrong = replace(beside(settings, 1), **{name: "wrong"})  # type: ignore[arg-type]
    connect = broker.connection if name == "queue_password" else database.connection
    for _ in range(TIMES):
        with pytest.raises(WindmillError) as caught:
            async with connect(wrong, "test"):
                pass
        assert caught.value.code == "CONFIG_INVALID"


async def test_when_all_are_away_each_is_named(settings: Settings) -> None:
    away = replace(settings, queue_host="127.0.0.1:1,127.0.0.1:2", db_host="127.0.0.1:1,127.0.0.1:2")
    for connect, code in ((broker.connection, "BROKER_UNAVAILABLE"), (database.connection, "DATABASE_UNAVAILABLE")):
        with pytest.raises(WindmillError, match=r"127\.0\.0\.1:1, 127\.0\.0\.1:2") as caught:
            async with connect(away, "test"):
                pass
        assert caught.value.code == code


async def test_the_doctor_finds_nothing_wrong_with_a_list_of_hosts(fleet: Fleet) -> None:
    two = {name: f"127.0.0.1:1,{fleet.environ[name]}" for name in ("QUEUE_HOST", "DB_HOST")}
    await fleet.run("windmill", "declare", "--services", "clip", **two)
    end = await fleet.run("windmill", "doctor", "--services", "clip", "--json", **two)
    found = {(one["area"], one["name"]): one for one in end.json()}
    for area in ("broker", "database"):
        assert found[area, "connect"]["state"] == "ok"
        assert "127.0.0.1:1, 127.0.0.1:" in found[area, "connect"]["found"]
        assert found[area, "encryption"]["state"] == "ok"
    assert found["broker", "management"]["state"] == "ok"
