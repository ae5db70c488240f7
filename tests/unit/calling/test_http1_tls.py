"""The HTTP client over TLS: what holds without it holds with it, on each event loop."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.integration.tls import Certificates, make_certificates
from tests.unit.loopback import Conversation, Site, listening, on_each_loop, reply, request_of
from tests.waiting import forever, until
from windmill.calling.http1 import ConnectError, Http1Client, HttpReply, HttpServer, ProtocolError, TlsError

OK = reply(b"ok")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def post(size: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)


async def keeping(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
    while True:
        site.requests.append(await request_of(reader))
        writer.write(OK)


@asynccontextmanager
async def both(
    converse: Conversation, certificates: Certificates, host: str = "localhost"
) -> AsyncIterator[tuple[Http1Client, Site, HttpServer]]:
    client = Http1Client()
    context = ssl.create_default_context(cafile=certificates.authority)
    async with listening(converse, tls=certificates.server) as site:
        try:
            yield client, site, HttpServer(host, site.port, context)
        finally:
            client.close()


async def ask(client: Http1Client, server: HttpServer, request: bytes = GET) -> HttpReply:
    async with asyncio.timeout(10):
        return await client.exchange(server, (request,), max_bytes=1000, connect_seconds=5)


@on_each_loop
async def test_a_connection_is_used_again(certificates: Certificates) -> None:
    async with both(keeping, certificates) as (client, site, server):
        for _ in range(5):
            assert (await ask(client, server)).body == b"ok"
    assert (site.connections, len(site.requests)) == (1, 5)


@on_each_loop
async def test_large_uploads_arrive_whole(certificates: Certificates) -> None:
    async with both(keeping, certificates) as (client, site, server):
        await asyncio.gather(*(ask(client, server, post(3_000_000)) for _ in range(3)))
    assert [len(request) for request in site.requests] == [len(post(3_000_000))] * 3


@on_each_loop
async def test_a_connection_that_the_server_closed_is_replaced(certificates: Certificates) -> None:
    async def once(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        site.requests.append(await request_of(reader))
        writer.write(OK)
        await writer.drain()

    async with both(once, certificates) as (client, site, server):
        for _ in range(3):
            assert (await ask(client, server)).body == b"ok"
    assert site.connections == 3


@on_each_loop
async def test_what_comes_unasked_is_nobodys_reply(certificates: Certificates) -> None:
    async def twice(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        while True:
            site.requests.append(await request_of(reader))
            writer.write(OK + reply(b"not yours"))

    async with both(twice, certificates) as (client, site, server):
        for _ in range(3):
            assert (await ask(client, server)).body == b"ok"
        assert client.surplus_connections == {server: 3}
    assert site.connections == 3


@on_each_loop
async def test_a_reply_that_is_cut_off_is_none(certificates: Certificates) -> None:
    async def cut(reader: StreamReader, writer: StreamWriter, _: Site) -> None:
        await request_of(reader)
        writer.write(OK[:-1])
        await writer.drain()

    async with both(cut, certificates) as (client, _, server):
        with pytest.raises(ProtocolError):
            await ask(client, server)


@on_each_loop
async def test_a_wait_that_ends_leaves_no_connection(certificates: Certificates) -> None:
    async def silent(reader: StreamReader, writer: StreamWriter, site: Site) -> None:
        site.requests.append(await request_of(reader))
        await forever()

    async with both(silent, certificates) as (client, site, server):
        asking = asyncio.ensure_future(ask(client, server))
        await until(lambda: len(site.requests) == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


@pytest.mark.parametrize(
    ("authority", "host", "why"),
    [
        ("foreign", "localhost", "unable to get local issuer certificate"),
        ("authority", "127.0.0.1", "not valid for '127.0.0.1'"),
    ],
)
@on_each_loop
async def test_a_server_that_cannot_prove_who_it_is_gets_no_request(
    certificates: Certificates, authority: str, host: str, why: str
) -> None:
    context = ssl.create_default_context(cafile=getattr(certificates, authority))
    async with both(keeping, certificates, host) as (client, site, server):
        with pytest.raises(TlsError, match=why):
            await ask(client, server._replace(tls=context))
    assert site.requests == []


@on_each_loop
async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(certificates: Certificates) -> None:
    heard: list[bytes] = []

    async def plain(reader: StreamReader, writer: StreamWriter, _: Site) -> None:
        heard.append(await reader.read(3))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    client = Http1Client()
    async with listening(plain) as site:
        context = ssl.create_default_context(cafile=certificates.authority)
        with pytest.raises(ConnectError):
            await ask(client, HttpServer("localhost", site.port, context))
    assert heard[0].startswith(b"\x16\x03"), "a handshake, and no request"
    client.close()


@on_each_loop
async def test_connections_of_other_certificates_are_not_shared(certificates: Certificates) -> None:
    async with both(keeping, certificates) as (client, site, server):
        await ask(client, server)
        other = ssl.create_default_context(cafile=certificates.authority)
        await ask(client, server._replace(tls=other))
    assert site.connections == 2
