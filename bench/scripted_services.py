"""Services that cost next to nothing: each says of an image what its stand-in said of it once, without looking again.

Images are told apart by their bytes up to the end of the JPEG, so copies that differ behind it get the same answers.
"""

import asyncio
from collections.abc import Iterable, Sequence

from dev.farm.contract import traits_of
from dev.farm.fetching import Downloads
from dev.farm.forms import parse_body
from dev.farm.prediction_pool import PredictionPool
from dev.farm.sources import Call
from dev.farm.standin import StandIn
from windmill.core.services import Service

END_OF_JPEG = b"\xff\xd9"
_BREAK = b"\r\n\r\n"


def image_in(body: bytes) -> bytes:
    """The part of a multipart body by which an answer is known."""
    start = body.find(_BREAK) + len(_BREAK)
    end = body.rfind(END_OF_JPEG)
    return body[start : end if end > start else len(body)]


class ScriptedService:
    """Remembers the replies of one stand-in. Mutable: `delay_seconds` passes before each reply."""

    def __init__(self, stand_in: StandIn) -> None:
        self.delay_seconds = 0.0
        self.misses = 0
        self._stand_in = stand_in
        self._known: dict[int, bytes] = {}

    async def reply(self, head: bytes, body: bytes) -> bytes:
        """The whole reply as it is sent."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        key = hash((head.partition(b" HTTP/")[0], image_in(body)))
        if key not in self._known:
            self.misses += 1
            self._known[key] = await self._ask(head, body)
        return self._known[key]

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        method, target, _ = head.decode("latin-1").split(" ", 2)
        call = Call(method, target.partition("?")[0], {}, parse_body(header(head, "content-type"), body), len(body))
        reply = await self._stand_in.reply(call)
        lines = [f"HTTP/1.1 {reply.status} said", f"Content-Type: {reply.content_type}"]
        lines += [f"Content-Length: {len(reply.body)}", "Connection: close", "", ""]
        return "\r\n".join(lines).encode() + reply.body


def header(head: bytes, name: str) -> str:
    """The value of a header; empty if there is none."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return ""


class _Exchange(asyncio.Protocol):
    """One connection, one request."""

    def __init__(self, service: ScriptedService) -> None:
        self._service = service
        self._got = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(_BREAK)
        if end < 0 or self._task:
            return
        head = bytes(self._got[:end])
        body_start = end + len(_BREAK)
        if len(self._got) >= body_start + int(header(head, "content-length") or 0):
            self._task = asyncio.ensure_future(self._answer(head, bytes(self._got[body_start:])))

    async def _answer(self, head: bytes, body: bytes) -> None:
        self._transport.write(await self._service.reply(head, body))
        self._transport.close()


class ScriptedServices:
    """All services of a fleet at their ports plus `offset`, while the block runs."""

    def __init__(self, services: Iterable[Service], offset: int) -> None:
        self._pool, self._downloads = PredictionPool(0), Downloads()
        listed = list(services)
        self._ports = {one.name: one.port + offset for one in listed}
        self._one_by_one = {one.name for one in listed if one.fleet_concurrency is not None}
        self.services = {
            one: ScriptedService(StandIn(one, traits_of(one), self._pool, self._downloads, "/analyze"))
            for one in self._ports
        }
        self._opened: list[asyncio.Server] = []

    def spread(self, seconds: float) -> None:
        """From now on the services answer one after the other over so many seconds; those that take few calls at once
        answer first, as crops of other images would wait for them too."""
        slow = [one for name, one in self.services.items() if name not in self._one_by_one]
        for number, service in enumerate(slow, start=1):
            service.delay_seconds = seconds * number / len(slow)

    async def __aenter__(self) -> "ScriptedServices":
        loop = asyncio.get_running_loop()
        for name, service in self.services.items():
            self._opened.append(
                await loop.create_server(lambda service=service: _Exchange(service), "127.0.0.1", self._ports[name])  # type: ignore[misc]
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._opened:
            server.close()
        await self._downloads.close()
        self._pool.close()


def misses(services: Sequence[ScriptedService]) -> int:
    """How often a stand-in was asked."""
    return sum(one.misses for one in services)
