"""Finding the host: a name with several addresses, and servers that move or are not there."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.unit.calling.http1_scene import GET, MOST, OK, Wire, a_moment, answering, ask
from tests.unit.loopback import Site, listening, on_each_loop, reply
from windmill.calling.http1 import (
    ConnectError,
    Http1Client,
    HttpServer,
    ProtocolError,
)
from windmill.calling.http1.connection import HttpConnection
from windmill.calling.http1.dns_cache import TTL_SECONDS, DnsCache, literal


@asynccontextmanager
async def named(
    *addresses: str, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[tuple[Http1Client, Site, list[str]]]:
    """A client for which a name has these addresses, and a server on the first address of this machine."""
    looked_up: list[str] = []

    async def look_up(host: str, port: int) -> tuple[str, ...]:
        looked_up.append(host)
        return addresses

    client = Http1Client(look_up=look_up, clock=clock)
    async with listening(answering(reply(b"ok", "200 OK", "Connection: close"))) as site:
        try:
            yield client, site, looked_up
        finally:
            client.close()


@on_each_loop
async def test_a_name_is_tried_by_each_of_its_addresses_and_then_by_the_one_that_answered() -> None:
    async with named("127.0.0.2", "::1", "127.0.0.1") as (client, site, looked_up):
        for _ in range(3):
            assert (await ask(client, site, host="name")).body == b"ok"
    assert looked_up == ["name"]


@on_each_loop
async def test_a_burst_finds_the_living_address_in_every_exchange() -> None:
    async with named("127.0.0.2", "127.0.0.3", "127.0.0.1") as (client, site, _):
        replies = await asyncio.gather(*(ask(client, site, host="name") for _ in range(50)))
    assert {said.body for said in replies} == {b"ok"}


@on_each_loop
async def test_an_address_that_drops_what_comes_leaves_time_for_the_next() -> None:
    async with named("127.0.0.4", "127.0.0.1") as (client, site, _):
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.4", site.port))
            full.listen(0)
            for taken in (first, second):  # Linux queues one more than the backlog and then drops what comes.
                taken.setblocking(False)
                taken.connect_ex(full.getsockname())
            await a_moment()
            said = await client.exchange(HttpServer("name", site.port), (GET,), max_bytes=MOST, connect_seconds=0.4)
            with pytest.raises(ConnectError, match=r"no connection within 0\.1 s"):
                await Http1Client().exchange(
                    HttpServer("127.0.0.4", site.port), (GET,), max_bytes=MOST, connect_seconds=0.1
                )
    assert said.body == b"ok"


@on_each_loop
async def test_a_name_is_looked_up_again_after_a_while_and_after_a_failure() -> None:
    now = 0.0
    async with named("127.0.0.2", "127.0.0.1", clock=lambda: now) as (client, site, looked_up):
        for now in (0, TTL_SECONDS - 1, TTL_SECONDS + 1):  # noqa: B007 - the clock reads it
            await ask(client, site, host="name")
        assert len(looked_up) == 2
        for _ in range(2):
            with pytest.raises(ConnectError):
                await client.exchange(HttpServer("name", 1), (GET,), max_bytes=MOST, connect_seconds=5)
        assert len(looked_up) == 4


async def test_the_address_that_answered_last_is_the_first_also_when_the_name_is_looked_up_again() -> None:
    now = 0.0

    async def look_up(host: str, port: int) -> tuple[str, ...]:
        return ("dead", "alive")

    addresses = DnsCache(look_up, lambda: now)
    assert await addresses.resolve("name", 1) == ("dead", "alive")
    addresses.prefer("name", 1, "alive")
    assert await addresses.resolve("name", 1) == ("alive", "dead")
    addresses.prefer("name", 1, "gone")
    now = TTL_SECONDS + 1
    assert await addresses.resolve("name", 1) == ("alive", "dead")


@on_each_loop
async def test_a_connection_that_died_before_the_request_is_told_at_once() -> None:
    link = HttpConnection()
    link.connection_made(Wire())
    link.connection_lost(None)
    with pytest.raises(ProtocolError):
        await asyncio.wait_for(link.exchange([GET], MOST), 1)


@on_each_loop
async def test_a_service_that_moved_is_found_again() -> None:
    where = ["127.0.0.2"]

    async def look_up(host: str, port: int) -> tuple[str, ...]:
        return tuple(where)

    client = Http1Client(look_up=look_up)
    async with listening(answering(OK)) as site:
        with pytest.raises(ConnectError):
            await ask(client, site, host="name")
        where[:] = ["127.0.0.1"]
        assert (await ask(client, site, host="name")).body == b"ok"
        client.close()


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1", 1),
        ("::1", 1),
        ("no-such-host.invalid", 80),
        ("a" * 64 + ".invalid", 80),
        ("a..b", 80),
        ("nul\0", 80),
        ("two words", 80),
        ("\ud800", 80),
        ("::1%nowhere", 80),
        ("127.0.0.1", 70_000),
    ],
)
@on_each_loop
async def test_a_server_that_is_not_there_is_not_reached(host: str, port: int) -> None:
    client = Http1Client()
    with pytest.raises(ConnectError) as failure:
        await client.exchange(HttpServer(host, port), (GET,), max_bytes=MOST, connect_seconds=5)
    assert str(failure.value)
    client.close()


def test_an_address_of_one_interface_names_it() -> None:
    assert literal(("fe80::1", 80, 0, 2)) == "fe80::1%2"
    assert literal(("2001:db8::1", 80, 0, 0)) == "2001:db8::1"
    assert literal(("192.0.2.1", 80)) == "192.0.2.1"
