"""A server on a free loopback port for tests of HTTP clients; it answers bytes, so that it can answer wrongly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """What a server on loopback was asked; `connections` counts how often somebody connected."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole and honest HTTP reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def serving(answer: Callable[[str], bytes] | Answer) -> AsyncIterator[Site]:
    """Serve `answer(path)`: bytes to send, or a coroutine that writes them itself and then hangs up."""
    site = Site()
    running: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await _one_request(reader, writer, site, answer):
                    pass
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(converse(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _one_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site, answer: Callable[[str], bytes] | Answer
) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    site.requests.append(head + await reader.readexactly(length))
    path = head.split()[1].decode()
    if asyncio.iscoroutinefunction(answer):
        await answer(path, writer)
        return False
    said = answer(path)  # type: ignore[call-arg]
    writer.write(said)  # type: ignore[arg-type]
    await writer.drain()
    return True
