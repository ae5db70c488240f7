"""A server on a free loopback port for tests of HTTP clients; it answers bytes, so that it can answer wrongly."""

import asyncio
import functools
import gc
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from tests.waiting import settled

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """What a server on loopback was asked; `connections` counts how often somebody connected."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Site], Awaitable[None]]


def on_each_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on asyncio's own loop and on the product's; it may leave no task, no socket and no fault unheard."""

    @pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    @functools.wraps(test)
    def run(*args: Any, loop: Callable[[], asyncio.AbstractEventLoop], **kwargs: Any) -> None:  # noqa: ANN401 - the test's
        before = _sockets()
        gc.freeze()  # so that collecting is quick
        try:
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(_watched(test(*args, **kwargs)))
        finally:
            gc.unfreeze()
        assert _sockets() == before, "sockets were left open"

    parameters = list(inspect.signature(test).parameters.values())
    of_its_own = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    vars(run)["__signature__"] = inspect.Signature([*parameters, of_its_own])
    del vars(run)["__wrapped__"]
    return cast("Callable[..., None]", run)


def _sockets() -> int:
    """How many sockets this process has open."""
    opened = 0
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself was open
            opened += str(file.readlink()).startswith("socket:")
    return opened


async def _watched(test: Coroutine[Any, Any, None]) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    await test
    await settled()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    gc.collect()
    assert (left, faults) == (set(), [])


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole and honest HTTP reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def listening(
    converse: Conversation, backlog: int = 100, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    """Serve each connection by a coroutine; when it is done, the connection is aborted."""
    site = Site()
    running: set[asyncio.Task[None]] = set()

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await converse(reader, writer, site)
        finally:
            writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(held(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=backlog, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@asynccontextmanager
async def serving(answer: Callable[[str], bytes] | Answer) -> AsyncIterator[Site]:
    """Serve `answer(path)`: bytes to send, or a coroutine that writes them itself and then hangs up."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await _one_request(reader, writer, site, answer):
                pass
        writer.close()
        await writer.wait_closed()

    async with listening(converse) as site:
        yield site


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """The next request, whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


async def _one_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site, answer: Callable[[str], bytes] | Answer
) -> bool:
    site.requests.append(await request_of(reader))
    path = site.requests[-1].split()[1].decode()
    if asyncio.iscoroutinefunction(answer):
        await answer(path, writer)
        return False
    said = answer(path)  # type: ignore[call-arg]
    writer.write(said)  # type: ignore[arg-type]
    await writer.drain()
    return True
