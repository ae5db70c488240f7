"""What stands before an engine: a breaker, a number of slots, a time limit, and progress that only rises.

An engine that is ill costs no job a try: a failure that may be the job's own fault counts against it only while the
engine's check says that it is well.
"""

import asyncio
import errno
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from windmill.calling.circuit_breaker import CircuitBreaker
from windmill.calling.resizable_semaphore import ResizableSemaphore
from windmill.core.errors import WindmillError
from windmill.core.timings import ENGINE_SECONDS, Histogram
from windmill.engines.cancelling import until_cancelled
from windmill.engines.engine import (
    EngineHealth,
    EngineKind,
    EngineRequest,
    EngineResult,
    EngineWaits,
    HasAddresses,
    ListsModels,
    OnProgress,
    OwnedEngine,
)
from windmill.engines.entries import EngineEntry

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class GuardedEngine:
    """An engine as jobs see it. `calls` counts by outcome and error code."""

    def __init__(self, engine: OwnedEngine, entry: EngineEntry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._seconds = entry.timeout_seconds
        self._concurrency = entry.concurrency
        self._tasks = entry.tasks
        self.version = entry.version
        self.breaker = CircuitBreaker(engine.name, clock=clock)
        self.slots = ResizableSemaphore(entry.concurrency)
        self.calls: Counter[tuple[str, str]] = Counter()
        self.seconds = Histogram(ENGINE_SECONDS)
        self.running = 0
        self._clock = clock

    @property
    def addresses_away(self) -> int:
        """How many of its addresses get no requests now."""
        return self._engine.addresses_away if isinstance(self._engine, HasAddresses) else 0

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def kind(self) -> EngineKind:
        return self._engine.kind

    async def check(self) -> EngineHealth:
        return await self._engine.check()

    async def models(self, folder: str) -> list[str] | None:
        """The models that its server has in a folder; None if it does not tell."""
        return await self._engine.models(folder) if isinstance(self._engine, ListsModels) else None

    async def close(self) -> None:
        await self._engine.close()

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineResult:
        """Run it in a slot; raises at once, with `retry_after`, while the breaker is open."""
        self._must_do(str(request.parameters.get("task") or ""))
        self._must_not_be_open()
        async with self._slot(cancelled):
            self._must_not_be_open()
            if self.breaker.state == "open":
                await self._must_be_back()
            return await self._counted(request, on_progress, cancelled)

    async def _counted(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineResult:
        """Run it now, and count what comes of it."""
        began = self._clock()
        self.running += 1
        try:
            result = await self._in_time(request, on_progress, cancelled)
        except WindmillError as error:
            blamed = await self._blamed(error)
            self._count(began, "cancelled" if blamed.code == "CANCELLED" else "failed", blamed.code)
            raise blamed from error
        finally:
            self.running -= 1
        self._answered()
        self._count(began, "waiting" if isinstance(result, EngineWaits) else "succeeded")
        return result

    def _count(self, began: float, outcome: str, code: str = "") -> None:
        self.calls[outcome, code if outcome == "failed" else ""] += 1
        if outcome in ("succeeded", "failed"):
            self.seconds.note(self._clock() - began)

    def _must_do(self, task: str) -> None:
        """What an engine cannot do, it would do as something else: a face would be drawn anew, and not restored."""
        if self._tasks and task and task not in self._tasks:
            said = f"the engine {self.name} does not do {task}; it does {', '.join(self._tasks)}"
            raise WindmillError("DEPENDENCY_MISSING", said, "name another engine, or add it to tasks of its entry")

    def _must_not_be_open(self) -> None:
        left = self.breaker.seconds_left()
        if self.breaker.state == "open" and left and self.breaker.reason:
            reason = self.breaker.reason
            said = f"the engine {self.name} is not well: {reason.message}"
            raise WindmillError(reason.code, said, reason.remedy, "pause", left, reached=False)

    async def _must_be_back(self) -> None:
        """The engine has to show that it is back before it gets a job."""
        health = await self._engine.check()
        if not health.ok:
            error = _unwell(self.name, health)
            self.breaker.prolong(error)
            raise error
        self.breaker.half_open()

    @asynccontextmanager
    async def _slot(self, cancelled: asyncio.Event) -> AsyncIterator[None]:
        taken = False

        async def take() -> None:
            nonlocal taken
            await self.slots.__aenter__()
            taken = True

        try:
            await until_cancelled(take(), cancelled)
            yield
        finally:
            if taken:
                self.slots.release()

    async def _in_time(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineResult:
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await self._engine.run(request, RisingProgress(on_progress), cancelled)
        except TimeoutError:
            if not limit.expired():
                raise
            said = f"the engine {self.name} was not done within {self._seconds:g} s"
            remedy = "raise timeout_seconds of the engine, or ask for less"
            raise WindmillError("ENGINE_TIMEOUT", said, remedy) from None
        except OSError as error:
            if error.errno not in _DISK_FULL:
                raise
            raise WindmillError("INSUFFICIENT_DISK_SPACE", f"{request.scratch}: {error.strerror}") from error

    async def _blamed(self, error: WindmillError) -> WindmillError:
        """The error with which the job ends: that of the engine if the engine is not well."""
        if error.retry == "later":
            health = await self._engine.check()
            if not health.ok:
                error = _unwell(self.name, health, error)
        if error.retry == "pause":
            self.breaker.trip(error)
            self.slots.resize(1)
        elif error.code != "CANCELLED":
            self._answered()
        return error

    def _answered(self) -> None:
        self.breaker.answered()
        if self.breaker.state == "closed":
            self.slots.resize(self._concurrency)


class RisingProgress:
    """Hands on a progress that is higher than every one before, and never more than 1."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._highest = -1.0

    def __call__(self, progress: float) -> None:
        progress = min(max(progress, 0.0), 1.0)
        if progress > self._highest:
            self._highest = progress
            self._on_progress(progress)


def _unwell(name: str, health: EngineHealth, error: WindmillError | None = None) -> WindmillError:
    said = f"the engine {name} is not well: {health.says}" + (f"; before that: {error.message}" if error else "")
    return WindmillError("ENGINE_OFFLINE", said, "start the engine, or correct its entry", "pause", reached=False)
