"""Engines in a thread with an event loop of its own: connections, slots and processes that stay alive outlast the tasks
that use them, each of which has a loop of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager

from windmill.calling.circuit_breaker import CircuitBreaker
from windmill.core.errors import WindmillError
from windmill.engines.audio.libraries import INSTALL
from windmill.engines.configuration import AUDIO
from windmill.engines.engine import EngineRequest, EngineResult, OnProgress
from windmill.engines.guard import GuardedEngine
from windmill.engines.registry import Engines

OpenEngines = Callable[[], AbstractAsyncContextManager[Engines]]

_UNKNOWN = (
    "name a known one in `engines` of the request (--engine NAME), or add it under engines in service_config.json"
)


class EngineThread:
    """Started by the first request; whoever has used it closes it."""

    def __init__(self, open_engines: OpenEngines) -> None:
        self._open_engines = open_engines
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed_breaker = CircuitBreaker("engines")

    @property
    def engines(self) -> list[GuardedEngine]:
        """Those that are open, for who counts; none before the first request."""
        return list(self._engines.values()) if self._thread else []

    @property
    def breaker(self) -> CircuitBreaker:
        """That of an engine that is away, if there is one."""
        breakers = [engine.breaker for engine in self.engines if engine.breaker.state != "closed"]
        return next((one for one in breakers if one.state == "open"), next(iter(breakers), self._closed_breaker))

    def version_of(self, name: str) -> str:
        """As long as it stays, the engine makes equal things of equal requests; empty if nobody says so."""
        self._start()
        return self._engines[name].version if name in self._engines else ""

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineResult:
        """Have the engine of this name do it; raises DEPENDENCY_MISSING if there is none. `on_progress` is called in
        the thread of the engines. When this returns or raises, nothing of the request runs any more."""
        await asyncio.to_thread(self._start)
        stop = asyncio.Event()
        work = asyncio.run_coroutine_threadsafe(self._run(name, request, on_progress, stop), self._loop)
        running = asyncio.wrap_future(work)
        told = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            self._loop.call_soon_threadsafe(stop.set)
            await asyncio.wait((running,))
        return running.result()

    def close(self) -> None:
        """Close the engines."""
        if self._thread:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
            self._thread = None

    async def _run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, stop: asyncio.Event
    ) -> EngineResult:
        if name not in self._engines:
            said = f"there is no engine {name} in this worker; known: {', '.join(self._engines)}"
            remedy = INSTALL if name == AUDIO else _UNKNOWN
            raise WindmillError("DEPENDENCY_MISSING", said, remedy)
        return await self._engines[name].run(request, on_progress, stop)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                opened: Future[None] = Future()
                self._loop, self._closing = asyncio.new_event_loop(), asyncio.Event()
                thread = threading.Thread(target=self._serve, args=(opened,), name="engines", daemon=True)
                thread.start()
                opened.result()
                self._thread = thread

    def _serve(self, opened: "Future[None]") -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed(opened))

    async def _until_closed(self, opened: "Future[None]") -> None:
        try:
            async with self._open_engines() as self._engines:
                opened.set_result(None)
                await self._closing.wait()
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)
