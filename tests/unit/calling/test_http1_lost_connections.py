"""Connections that die: replaced unnoticed, and what was heard is not sent again."""

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest

from tests.unit.calling.http1_scene import OK, a_moment, answering, ask, both, post
from tests.unit.loopback import Site, listening, on_each_loop, reply, request_of
from windmill.calling.http1 import (
    ConnectError,
    Http1Client,
    ProtocolError,
)


@on_each_loop
async def test_a_connection_that_died_idle_is_replaced_unnoticed() -> None:
    async with both(answering(OK, then_close=True)) as (client, site):
        assert [(await ask(client, site)).body for _ in range(3)] == [b"ok"] * 3
        await a_moment()
        assert (await ask(client, site)).body == b"ok"
    assert site.connections == 4


@on_each_loop
async def test_a_connection_that_dies_with_the_next_request_is_replaced_once() -> None:
    async def once(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        site.requests.append(await request_of(reader))
        writer.write(OK)
        await reader.readexactly(1)

    async with both(once) as (client, site):
        assert [(await ask(client, site)).body for _ in range(3)] == [b"ok"] * 3
    assert site.connections == 3


@pytest.mark.parametrize("heard", [b"H", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
@on_each_loop
async def test_a_request_that_was_heard_is_not_sent_again(heard: bytes) -> None:
    async with both(answering(OK, heard, then_close=True)) as (client, site):
        await ask(client, site)
        with pytest.raises(ProtocolError):
            await ask(client, site)
    assert (site.connections, len(site.requests)) == (1, 2)


@on_each_loop
async def test_a_request_that_nobody_answered_in_time_is_not_sent_again() -> None:
    async def mute(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        site.requests.append(await request_of(reader))
        writer.write(OK)
        site.requests.append(await request_of(reader))
        await reader.read()

    async with both(mute) as (client, site):
        await ask(client, site)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(client, site)
        await a_moment()
    assert (site.connections, len(site.requests)) == (1, 2)


@pytest.mark.parametrize("first", [0, 1], ids=["from the first", "after a reply"])
@on_each_loop
async def test_a_server_that_accepts_and_hangs_up_is_asked_at_most_twice(first: int) -> None:
    async def converse(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        if site.connections <= first:
            await request_of(reader)
            writer.write(OK)
            await reader.readexactly(1)

    async with both(converse) as (client, site):
        for _ in range(first):
            await ask(client, site)
        for number in range(3):
            with pytest.raises(ProtocolError):
                await ask(client, site, post(100_000))
            assert site.connections <= first + number + 1


@on_each_loop
async def test_the_failure_is_the_first_one_when_the_server_has_gone_away() -> None:
    addresses, now = ["127.0.0.1"], 0.0

    async def look_up(host: str, port: int) -> tuple[str, ...]:
        return tuple(addresses)

    async def once(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await request_of(reader)
        writer.write(OK)
        await reader.readexactly(1)

    client = Http1Client(look_up=look_up, clock=lambda: now)
    async with listening(once) as site:
        await ask(client, site, host="name")
        addresses, now = ["127.0.0.2"], 1000.0
        with pytest.raises(ProtocolError, match="no new one could be opened"):
            await ask(client, site, host="name")
        with pytest.raises(ConnectError):
            await ask(client, site, host="name")
    client.close()


@pytest.mark.parametrize("rst", [True, False], ids=["reset", "closed"])
@on_each_loop
async def test_a_refusal_is_heard_though_the_upload_is_not_read(rst: bool) -> None:
    async def refusing(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"no", "413 Too Large", "Connection: close"))
        await writer.drain()
        if not rst:
            writer.write_eof()
            await reader.read()

    async with both(refusing) as (client, site):
        for _ in range(3):
            assert (await ask(client, site, post(8_000_000))).status == 413
