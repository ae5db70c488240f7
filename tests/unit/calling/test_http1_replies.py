"""How replies end, and what bounds hold for them: against servers that cut, dawdle and flood."""

import asyncio
import gc
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

import pytest

from tests.unit.calling.http1_scene import MOST, a_moment, answering, ask, both, chunked, post
from tests.unit.loopback import Site, on_each_loop, reply, request_of
from tests.waiting import forever, turns, until
from windmill.calling.http1 import (
    HttpReply,
    HttpServer,
    ProtocolError,
    ReplyTooLarge,
)

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
