"""A TCP relay that a test can cut, mend and freeze: a server that goes away without being stopped."""

import asyncio
import contextlib

LOOPBACK = "127.0.0.1"


class Proxy:
    """Relays one loopback port to a server; `async with` opens it. It listens on a port of its own for all its life."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        self.held_back = 0
        """Bytes that came while nothing was passed on."""
        self.passed = 0
        """Bytes that went either way."""
        self.turned_away = 0
        """Connections that were hung up on at once."""

    async def __aenter__(self) -> "Proxy":
        await self.mend()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Accept connections again."""
        if self._server:
            self._server.close()
        self._server = await asyncio.start_server(self._accepted, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        if self._server:
            self._server.close()
            self._server = None
        for link in self._links:
            link.transport.abort()
        self.thaw()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hang_up(self) -> None:
        """Reset every connection, and each new one as soon as it is there: unlike `cut`, this shows who tries."""
        await self.cut()
        self.turned_away = 0
        self._server = await asyncio.start_server(self._turn_away, LOOPBACK, self.port)

    def _turn_away(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.turned_away += 1
        writer.transport.abort()

    def freeze(self) -> None:
        """Keep the connections and pass nothing on until thawed or cut, as a network does that lost its way."""
        self._flowing.clear()
        self.held_back = 0

    def thaw(self) -> None:
        self._flowing.set()

    @property
    def connections(self) -> int:
        return len(self._links) // 2

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._relay(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, questions = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        if self._server is None:  # cut while this one was being opened
            writer.transport.abort()
            questions.transport.abort()
            return
        self._links |= {writer, questions}
        try:
            await asyncio.gather(self._pass(reader, questions), self._pass(answers, writer))
        finally:
            self._links -= {writer, questions}

    def _passes(self, data: bytes) -> None:
        self.passed += len(data)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if not self._flowing.is_set():
                    self.held_back += len(data)
                await self._flowing.wait()
                self._passes(data)
                sink.write(data)
                await sink.drain()
        sink.close()
        with contextlib.suppress(OSError):
            await sink.wait_closed()
