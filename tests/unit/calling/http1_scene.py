"""Servers for tests of the HTTP client, and what it asks them."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from tests.unit.loopback import Conversation, Site, listening, reply, request_of
from tests.waiting import turns
from windmill.calling.http1 import (
    Http1Client,
    HttpReply,
    HttpServer,
    ProtocolError,
    ReplyTooLarge,
)
from windmill.calling.http1.connection import HttpConnection

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
