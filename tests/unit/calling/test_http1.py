"""The client's connections against servers that cut, dawdle, flood, speak twice or speak out of turn."""

import asyncio
import gc
import itertools
import socket
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.loopback import Conversation, Site, listening, on_each_loop, reply, request_of
from tests.unit.world import Clock
from tests.waiting import forever, settled, turns, until
from windmill.calling.http1 import (
    MAX_EXCHANGES,
    ConnectError,
    Http1Client,
    HttpError,
    HttpReply,
    HttpServer,
    MismatchedReply,
    ProtocolError,
    ReplyTooLarge,
)
from windmill.calling.http1.connection import HttpConnection
from windmill.calling.http1.dns_cache import TTL_SECONDS, DnsCache, literal

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
MOST = 1000
OK = reply(b"ok")


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    frames = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + frames + end


def answering(*replies: bytes, then_close: bool = False) -> Conversation:
    """Each connection reads a request before each of these replies; then it hangs up, or waits for the client to."""

    async def converse(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        for said in replies:
            site.requests.append(await request_of(reader))
            writer.write(said)
            await writer.drain()
        if then_close:
            writer.close()
            await writer.wait_closed()
        else:
            await reader.read()

    return converse


async def ask(
    client: Http1Client, site: Site, request: bytes = GET, most: int = MOST, host: str = "127.0.0.1"
) -> HttpReply:
    async with asyncio.timeout(10):
        return await client.exchange(HttpServer(host, site.port), (request,), max_bytes=most, connect_seconds=5)


@asynccontextmanager
async def both(converse: Conversation) -> AsyncIterator[tuple[Http1Client, Site]]:
    client = Http1Client()
    async with listening(converse) as site:
        try:
            yield client, site
        finally:
            client.close()


async def a_moment() -> None:
    """Time for what was sent on loopback to arrive; whether it did can be seen only by what does not happen then."""
    await asyncio.sleep(0.03)  # nothing tells that nothing came


# How replies end.

CHUNKED = {b"transfer-encoding": b"chunked"}
FOUR = {b"content-length": b"4"}
REPLIES = [
    (reply(b"four"), HttpReply(200, FOUR, b"four")),
    (reply(b""), HttpReply(200, {b"content-length": b"0"}, b"")),
    (b"HTTP/1.1 204 No Content\r\n\r\n", HttpReply(204, {}, b"")),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", HttpReply(304, {}, b"")),
    (chunked(b"fo", b"ur"), HttpReply(200, CHUNKED, b"four")),
    (chunked(), HttpReply(200, CHUNKED, b"")),
    (
        chunked(end=b'4;name="a value";x\r\nfour\r\n0;last\r\nRetry-After: 5\r\nContent-Encoding: gzip\r\n\r\n'),
        HttpReply(200, CHUNKED, b"four"),
    ),
    (b"HTTP/1.1 200 OK\r\nX-Empty:\r\nContent-Length: 4\r\n\r\nfour", HttpReply(200, FOUR, b"four")),
    (b"HTTP/1.1 100 Continue\r\nRetry-After: 7\r\n\r\n" + reply(b"four"), HttpReply(200, FOUR, b"four")),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + chunked(b"x"), HttpReply(200, CHUNKED, b"x")),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nfour", HttpReply(200, FOUR, b"four")),
    (
        reply(b"no", "500 Error", "Retry-After: 3"),
        HttpReply(500, {b"content-length": b"2", b"retry-after": b"3"}, b"no"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "expected"), REPLIES)
@on_each_loop
async def test_a_reply_is_the_same_in_one_packet_and_in_many(wire: bytes, expected: HttpReply) -> None:
    async def dripping(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await request_of(reader)
        for at in range(len(wire)):
            writer.write(wire[at : at + 1])
            await turns(1)
        await reader.read()

    async with both(answering(wire)) as (client, site), both(dripping) as (patient, slow):
        assert await ask(client, site) == expected
        assert await ask(patient, slow) == expected


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK\r\nConnection: close"])
@pytest.mark.parametrize("body", [b"", b"until the end"])
@on_each_loop
async def test_a_reply_without_a_length_ends_with_its_connection(first: bytes, body: bytes) -> None:
    async with both(answering(first + b"\r\n\r\n" + body, then_close=True)) as (client, site):
        assert await ask(client, site) == HttpReply(200, {}, body)
        assert await ask(client, site) == HttpReply(200, {}, body)
    assert site.connections == 2


@on_each_loop
async def test_a_reply_that_ends_with_its_connection_is_had_though_the_request_was_not_read() -> None:
    async def half(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await a_moment()
        writer.write(b"HTTP/1.1 413 Too Large\r\n\r\nno")
        writer.write_eof()
        await forever()

    async with both(half) as (client, site), asyncio.timeout(5):
        assert await ask(client, site, post(32_000_000)) == HttpReply(413, {}, b"no")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nfour",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x00\x01",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"0" * 5000 + b"4\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 100 + b"\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nfour\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nfour",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\nContent-Length: 4\r\n\r\nfour",
        b"HTTP/3.7 200 OK\r\nContent-Length: 4\r\n\r\nfour",
        b"220 mail.example ESMTP\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
@on_each_loop
async def test_what_is_no_whole_reply_is_cut_off(said: bytes) -> None:
    async with both(answering(said, then_close=True)) as (client, site):
        with pytest.raises(ProtocolError):
            await ask(client, site)
    assert site.connections == 1


# The next reply is the next request's.


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


# Connections that die.


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


# Bounds.


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1])
@pytest.mark.parametrize("framing", ["length", "chunks", "tiny chunks", "end"])
@on_each_loop
async def test_the_limit_holds_for_each_way_that_a_reply_ends(framing: str, size: int) -> None:
    body = bytes(size)
    wire = {
        "length": reply(body),
        "chunks": chunked(body[:100], body[100:]),
        "tiny chunks": chunked(*([b"\x00"] * size)),
        "end": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }[framing]
    async with both(answering(wire, then_close=True)) as (client, site):
        if size > MOST:
            with pytest.raises(ReplyTooLarge):
                await ask(client, site)
        else:
            assert (await ask(client, site)).body == body


@on_each_loop
async def test_a_reply_in_the_tiniest_chunks_is_taken_whatever_its_size() -> None:
    async with both(answering(chunked(*([b"x"] * 300_000)))) as (client, site):
        assert len((await ask(client, site, most=300_000)).body) == 300_000


@on_each_loop
async def test_a_reply_that_is_announced_too_large_is_not_waited_for() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"
    async with both(answering(said)) as (client, site):
        with pytest.raises(ReplyTooLarge):
            await ask(client, site)
        with pytest.raises(ReplyTooLarge):
            await ask(client, site)
    assert site.connections == 2


@pytest.mark.parametrize(
    ("start", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"x" * 1000),
        (b"HTTP/1.1 200 ", b"x" * 1000),
        (b"", b"\r\n" * 500),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (chunked(end=b"4;"), b"x" * 1000),
        (chunked(b"four", end=b"0\r\n"), b"X: " + b"x" * 1000 + b"\r\n"),
        (chunked(end=b""), b"0" * 1000),
    ],
)
@on_each_loop
async def test_what_comes_beside_a_body_is_bounded(start: bytes, again: bytes) -> None:
    sent = 0

    async def flood(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(start)
        while sent < 20_000_000:
            writer.write(again * 10)
            sent += 10 * len(again)
            await writer.drain()
        await reader.read()

    async with both(flood) as (client, site):
        with pytest.raises(ProtocolError):
            await ask(client, site)
    assert sent < 20_000_000


@on_each_loop
async def test_a_reply_that_drips_ends_with_the_time_for_it() -> None:
    async def dripping(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await a_moment()
                await writer.drain()
        site.requests.append(b"hung up")

    async with both(dripping) as (client, site):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(client, site)
        await until(lambda: site.requests == [b"hung up"])


@on_each_loop
async def test_an_upload_that_nobody_reads_ends_with_its_time_and_leaves_no_copy() -> None:
    async def deaf(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await forever()

    image = bytes(32_000_000)
    gc.collect()
    owners = sys.getrefcount(image)
    async with both(deaf) as (client, site):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.exchange(
                    HttpServer("127.0.0.1", site.port), (post(0), image), max_bytes=MOST, connect_seconds=5
                )
        await a_moment()
        gc.collect()
        assert sys.getrefcount(image) == owners


@on_each_loop
async def test_a_large_upload_arrives_whole_at_a_server_that_reads_slowly() -> None:
    async def slow(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        size = 0
        while size < len(request):
            size += len(await reader.read(1_000_000))
            await turns(5)
        writer.write(reply(b"%d" % size))
        await reader.read()

    request = post(32_000_000)
    async with both(slow) as (client, site):
        assert (await ask(client, site, request)).body == b"%d" % len(request)


# Letting go.


@pytest.mark.parametrize("wait", [0, 1, 2, 3, 4, 5, 7, 10])
@pytest.mark.parametrize("kept", [False, True])
@on_each_loop
async def test_an_exchange_can_be_cancelled_wherever_it_waits(wait: int, kept: bool) -> None:
    """Its connection is closed, and what comes just then, a reply or a failure, troubles nobody."""
    for said in (OK, b"banana\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"):
        async with both(answering(*([OK] if kept else []), said)) as (client, site):
            if kept:
                await ask(client, site)
            waiting = asyncio.ensure_future(ask(client, site, host="localhost"))
            await turns(wait)
            waiting.cancel()
            with suppress(asyncio.CancelledError, HttpError):
                await waiting
            await settled()


@pytest.mark.parametrize("said", [OK, b"banana\r\n\r\n", reply(bytes(MOST + 1))])
@on_each_loop
async def test_a_wait_that_ends_at_the_moment_of_the_reply_leaves_nothing_unheard(said: bytes) -> None:
    link, wire = HttpConnection(), Wire()
    link.connection_made(wire)
    waiting = asyncio.ensure_future(link.exchange([GET], MOST))
    await turns(1)
    link.data_received(said)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@on_each_loop
async def test_closing_lets_running_exchanges_end_and_keeps_none_of_their_connections() -> None:
    gone = asyncio.Event()

    async def slow(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        await request_of(reader)
        await a_moment()
        writer.write(OK)
        await reader.read()
        gone.set()

    client = Http1Client()
    async with listening(slow) as site:
        running = asyncio.ensure_future(ask(client, site))
        await until(lambda: site.connections)
        client.close()
        assert (await running).body == b"ok"
        async with asyncio.timeout(5):
            await gone.wait()
        client.close()


@on_each_loop
async def test_the_connections_of_a_burst_are_let_go_when_they_idle() -> None:
    left = 0
    all_here = asyncio.Event()

    async def counting(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        nonlocal left
        await request_of(reader)
        if site.connections == 500:
            all_here.set()
        await all_here.wait()
        writer.write(OK)
        await reader.read()
        left += 1

    client = Http1Client(idle_seconds=0.2)
    async with listening(counting, backlog=500) as site:
        replies = await asyncio.gather(*(ask(client, site) for _ in range(500)))
        assert [said.body for said in replies] == [b"ok"] * 500
        assert (site.connections, left) == (500, 0)
        async with asyncio.timeout(5):
            await until(lambda: left == 500)
        client.close()


@on_each_loop
async def test_a_connection_that_is_in_use_now_and_then_is_kept() -> None:
    clock = Clock()
    client = Http1Client(idle_seconds=0.1, clock=clock)
    async with listening(answering(*[OK] * 10)) as site:
        for _ in range(10):
            await ask(client, site)
            clock.now += 0.04
            await a_moment()
        client.close()
    assert site.connections == 1


@on_each_loop
async def test_many_connections_that_fail_leave_nothing_open() -> None:
    async with both(answering(b"banana")) as (client, site):
        failures = await asyncio.gather(*(ask(client, site) for _ in range(100)), return_exceptions=True)
        assert {type(failure) for failure in failures} == {ProtocolError}
    assert not gc.garbage


# Finding the host.


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


# Whatever the bytes.


class Wire(asyncio.Transport):
    """A transport that sends nothing, and remembers whether it was aborted."""

    aborted = False

    def writelines(self, list_of_data: Iterable[object]) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def heard(packets: Sequence[bytes], *, then_lost: bool = True) -> tuple[HttpReply | str, bool]:
    """What an exchange makes of these packets, and whether the connection would be used again."""

    async def exchange() -> tuple[HttpReply | str, bool]:
        link, wire = HttpConnection(), Wire()
        link.connection_made(wire)
        waiting = asyncio.ensure_future(link.exchange([GET], MOST))
        await turns(1)
        for packet in packets:
            if not wire.aborted:
                link.data_received(packet)
        again = link.open
        if then_lost and not wire.aborted:
            link.eof_received()
        link.connection_lost(None)
        try:
            return await waiting, again
        except (ProtocolError, ReplyTooLarge) as failure:
            return type(failure).__name__, again

    with asyncio.Runner() as runner:
        return runner.run(exchange())


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted(min(place, len(wire)) for place in places), len(wire)]
    return [wire[start:end] for start, end in itertools.pairwise(ends) if start < end]


LINES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 101 X\r\n", b"\r\n",
    b"HTTP/1.1 204 X\r\n", b"HTTP/1.1 500 X\r\n", b"HTTP/1.1 000 X\r\n", b"Content-Length: 4\r\n", b"four", b"4\r\n",
    b"Content-Length: 1001\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n", b"fffff\r\n",
    b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"Retry-After: 1\r\n", b"X", b":", b"\x00",
    b"4;a=b\r\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=20)), max_size=15),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_whatever_comes_is_a_reply_or_one_of_the_known_failures(pieces: list[bytes], places: list[int]) -> None:
    heard(cut(b"".join(pieces), places))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=MOST),
    st.lists(st.integers(1, 50), max_size=20),
    st.sampled_from(["length", "chunks", "end"]),
    st.lists(
        st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\nContent-Encoding: x\r\n\r\n"]),
        max_size=3,
    ),
    st.lists(st.integers(0, 1500), max_size=12),
)
def test_a_good_reply_is_the_same_however_it_is_cut(
    body: bytes, sizes: list[int], framing: str, interim: list[bytes], places: list[int]
) -> None:
    wire = {
        "length": reply(body),
        "chunks": chunked(*filter(None, cut(body, itertools.accumulate(sizes)))),
        "end": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }
    packets = cut(b"".join(interim) + wire[framing], places)
    said, again = heard(packets)
    assert isinstance(said, HttpReply)
    assert (said.status, said.body) == (200, body)
    assert again, "nothing came after it"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([OK, chunked(b"ok")]),
    st.binary(min_size=1, max_size=60).filter(lambda more: more.strip(b"\r\n")),
    st.lists(st.integers(0, 150), max_size=4),
)
def test_whatever_follows_a_reply_is_not_left_for_the_next_request(
    first: bytes, more: bytes, places: list[int]
) -> None:
    said, again = heard(cut(first + more, places), then_lost=False)
    assert isinstance(said, HttpReply)
    assert (said.body, again) == (b"ok", False)
