"""Requests at a steady rate over connections that stay open, as cheap as they can be: so the server is what is
measured. A request that has to wait counts from when it was due, so a server that stands still is not spared."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MakeRequest = Callable[[], bytes]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
WARM_CONNECTIONS = 8
ANSWER_SECONDS = 60.0


class BadAnswer(Exception):
    """The server did not answer as it should."""


@dataclass(frozen=True)
class Measured:
    """What a run took; times are in ms."""

    rate: float
    p50: float
    p99: float


@dataclass
class Load:
    """Sends to one port."""

    port: int
    _idle: list[Streams] = field(default_factory=list)

    async def most(self, make: MakeRequest, number: int) -> float:
        """Requests a second, when each of a few connections sends the next as soon as the one before is answered."""
        began, left = time.monotonic(), iter(range(number))

        async def repeat() -> None:
            for _ in left:
                await self._send(make())

        await asyncio.gather(*(repeat() for _ in range(WARM_CONNECTIONS)))
        return number / (time.monotonic() - began)

    async def steady(self, make: MakeRequest, rate: float, seconds: float) -> Measured:
        """So many requests a second."""
        began, sent = time.monotonic(), []
        for number in range(max(int(rate * seconds), 1)):
            due = began + number / rate
            await asyncio.sleep(max(due - time.monotonic(), 0))
            sent.append(asyncio.create_task(self._timed(make(), due)))
        taken = sorted(await asyncio.gather(*sent))
        return Measured(rate, statistics.median(taken) * 1000, taken[int(len(taken) * 0.99)] * 1000)

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _timed(self, request: bytes, due: float) -> float:
        await self._send(request)
        return time.monotonic() - due

    async def _send(self, request: bytes) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._send_somewhere(request)
        except TimeoutError as error:
            raise BadAnswer(f"no answer within {ANSWER_SECONDS:.0f} s") from error

    async def _send_somewhere(self, request: bytes) -> None:
        """Over a connection that is open, or a new one where the server has closed that as idle."""
        if self._idle:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                return await self._send_over(self._idle.pop(), request)
        return await self._send_over(await asyncio.open_connection("127.0.0.1", self.port), request)

    async def _send_over(self, streams: Streams, request: bytes) -> None:
        reader, writer = streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 2"):
            raise BadAnswer(head.decode(errors="replace"))
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        self._idle.append(streams)
