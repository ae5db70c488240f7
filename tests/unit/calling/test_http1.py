"""Connections of the client: used for one exchange after another, and no reply reaches another request."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

import pytest

from tests.unit.calling.http1_scene import GET, MOST, OK, a_moment, answering, ask, both, chunked, post
from tests.unit.loopback import Site, on_each_loop, reply, request_of
from tests.waiting import turns, until
from windmill.calling.http1 import (
    MAX_EXCHANGES,
    HttpReply,
    HttpServer,
    MismatchedReply,
)


@on_each_loop
async def test_a_connection_is_used_for_one_exchange_after_another() -> None:
    keeping = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nc"
    replies = [reply(b"a"), chunked(b"b"), keeping, b"HTTP/1.1 204 No Content\r\n\r\n"]
    async with both(answering(*replies)) as (client, site):
        assert [(await ask(client, site)).body for _ in range(4)] == [b"a", b"b", b"c", b""]
    assert site.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        reply(b"ok", "200 OK", "Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        # A service may say so before it has read the image, and take the rest of it for another request.
        reply(b"ok", "413 Too Large"),
        reply(b"ok", "500 Error"),
        OK + OK,
        OK + b"H",
        OK + reply(b"", "408 Request Timeout", "Connection: close"),
    ],
)
@on_each_loop
async def test_a_connection_that_another_reply_may_come_over_is_not_used_again(said: bytes) -> None:
    async with both(answering(said, said)) as (client, site):
        for _ in range(3):
            answer = await ask(client, site)
            assert (answer.headers, answer.body) == ({b"content-length": b"2"}, b"ok")
    assert site.connections == 3


@pytest.mark.parametrize("wait", [True, False], ids=["after a while", "at once"])
@on_each_loop
async def test_what_is_said_unasked_is_nobodys_reply(wait: bool) -> None:
    unasked = reply(b"not yours")

    peers: list[StreamWriter] = []

    async def converse(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        peers.append(writer)
        while True:
            await request_of(reader)
            writer.write(OK)

    async with both(converse) as (client, site):
        assert (await ask(client, site)).body == b"ok"
        # Past the loop, so that the client has not read it when it looks for a connection.
        with socket.socket(fileno=socket.dup(peers[0].get_extra_info("socket").fileno())) as peer:
            peer.send(unasked)
        if wait:
            await a_moment()
        assert (await ask(client, site)).body == b"ok"
        assert sum(client.surplus_connections.values()) == 1
    assert site.connections == 2


@on_each_loop
async def test_a_connection_is_retired_after_so_many_exchanges() -> None:
    async with both(answering(*[OK] * (MAX_EXCHANGES + 1))) as (client, site):
        for _ in range(MAX_EXCHANGES):
            await ask(client, site)
        assert site.connections == 1
        await ask(client, site)
        assert site.connections == 2
    assert client.surplus_connections == {}


@on_each_loop
async def test_one_reply_too_many_reaches_only_the_requests_of_its_connection() -> None:
    """A late duplicate takes the place of each later reply; only the end of the connection ends that."""

    async def repeating(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        while True:
            number = await request_of(reader)
            site.requests.append(number)
            body = number.split()[1][1:]
            if len(site.requests) == 10:  # the reply to the ninth came late, and twice
                writer.write(reply(b"9"))
            writer.write(reply(body))

    async with both(repeating) as (client, site):
        bodies = [
            (await ask(client, site, b"GET /%d HTTP/1.1\r\n\r\n" % number)).body
            for number in range(1, 2 * MAX_EXCHANGES)
        ]
    wrong = [number for number, body in enumerate(bodies, 1) if body != b"%d" % number]
    assert len(wrong) <= MAX_EXCHANGES - 9


@pytest.mark.parametrize("said", [OK + OK, OK + b"H"])
@on_each_loop
async def test_connections_with_surplus_bytes_are_counted(said: bytes) -> None:
    async with both(answering(said, OK)) as (client, site):
        for _ in range(3):
            await ask(client, site)
        assert client.surplus_connections == {HttpServer("127.0.0.1", site.port): 3}


@on_each_loop
async def test_a_reply_that_belongs_to_another_request_is_not_taken_and_ends_its_connection() -> None:
    async with both(answering(OK, OK)) as (client, site):
        server = HttpServer("127.0.0.1", site.port)
        with pytest.raises(MismatchedReply):
            await client.exchange(server, (GET,), max_bytes=MOST, connect_seconds=5, belongs=lambda _: False)
        assert (await ask(client, site)).body == b"ok"
        assert client.surplus_connections == {server: 1}
    assert site.connections == 2


@on_each_loop
async def test_a_connection_is_not_used_while_the_request_before_is_still_being_sent() -> None:
    async def hasty(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(OK)
        await a_moment()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        while data := await reader.read(65_536):
            site.requests.append(data)

    async with both(hasty) as (client, site):
        for _ in range(2):
            assert await ask(client, site, post(32_000_000)) == HttpReply(200, {b"content-length": b"2"}, b"ok")
        await a_moment()
    assert site.connections == 2


@pytest.mark.parametrize("how", ["timeout", "cancel"])
@on_each_loop
async def test_a_reply_that_comes_after_the_wait_for_it_has_ended_is_nobodys(how: str) -> None:
    given_up = asyncio.Event()

    async def late(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        first = site.connections == 1
        while True:
            await request_of(reader)
            if first:
                await given_up.wait()
            writer.write(reply(b"late" if first else b"right"))

    async with both(late) as (client, site):
        waiting = asyncio.ensure_future(ask(client, site))
        await until(lambda: site.connections)
        if how == "timeout":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(waiting, 0.015)
        else:
            waiting.cancel()
        given_up.set()
        assert (await ask(client, site)).body == b"right"
        await a_moment()
        assert (await ask(client, site)).body == b"right"
    assert site.connections == 2


@on_each_loop
async def test_many_exchanges_at_a_time_never_get_each_others_replies() -> None:
    async def echo(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        while True:
            request = await request_of(reader)
            await turns(len(site.requests) % 5 * 3)
            site.requests.append(b"")
            name = request.split()[1]
            writer.write(reply(name, "500 Error" if name.endswith(b"7") else "200 OK"))

    async with both(echo) as (client, site):

        async def one(number: int) -> None:
            request = b"GET /%d HTTP/1.1\r\n\r\n" % number
            patience = 0.002 if number % 10 == 3 else 10
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    assert (await ask(client, site, request)).body == b"/%d" % number

        for burst in range(4):
            await asyncio.gather(*(one(burst * 100 + number) for number in range(100)))
