"""Engines that outlast the loops of the tasks that use them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineHealth, EngineKind, EngineOutput, EngineRequest, OnProgress
from windmill.engines.engine_thread import EngineThread
from windmill.engines.entries import BuiltinEntry
from windmill.engines.guard import GuardedEngine
from windmill.engines.registry import Engines


class SlowEngine:
    """Is half done at once, and ends when it is cancelled, or at once if the request says so."""

    name = "slow"
    kind: EngineKind = "builtin"

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.running = 0
        self.closed = False

    async def check(self) -> EngineHealth:
        return EngineHealth(True, "well")

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineOutput:
        self.threads.append(threading.get_ident())
        self.running += 1
        try:
            on_progress(0.5)
            if "at_once" not in request.parameters:
                await cancelled.wait()
                raise WindmillError("CANCELLED", "it was cancelled")
            return EngineOutput((), {"in": threading.current_thread().name})
        finally:
            self.running -= 1

    async def close(self) -> None:
        self.closed = True


class ThreadScene:
    """The thread and its engine, opened as often as asked."""

    def __init__(self) -> None:
        self.engine = SlowEngine()
        self.opened = 0
        self.broken = False
        self.thread = EngineThread(self.open)
        self.progress: list[float] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Engines]:
        if self.broken:
            raise WindmillError("CONFIG_INVALID", "there is no such file")
        self.opened += 1
        guarded = GuardedEngine(self.engine, BuiltinEntry(concurrency=2))
        yield Engines({"slow": guarded})
        await guarded.close()

    async def run(self, name: str = "slow", cancelled: asyncio.Event | None = None, **parameters: str) -> EngineOutput:
        request = EngineRequest("job-1", {}, parameters, Path("/nowhere"))
        result = await self.thread.run(name, request, self.progress.append, cancelled or asyncio.Event())
        assert isinstance(result, EngineOutput)
        return result


@pytest.fixture
def scene() -> Iterator[ThreadScene]:
    made = ThreadScene()
    yield made
    made.thread.close()


def test_tasks_with_loops_of_their_own_share_the_engines_of_one_thread(scene: ThreadScene) -> None:
    facts = [asyncio.run(scene.run(at_once="yes")).facts for _ in range(2)]
    assert facts == [{"in": "engines"}] * 2
    assert (scene.opened, len(set(scene.engine.threads)), scene.progress) == (1, 1, [0.5, 0.5])


async def test_a_cancelled_task_ends_its_request(scene: ThreadScene) -> None:
    cancelled = asyncio.Event()
    running = asyncio.ensure_future(scene.run(cancelled=cancelled))
    await until(lambda: scene.engine.running, 10, lambda: "a request that runs")
    cancelled.set()
    with pytest.raises(WindmillError, match="CANCELLED"):
        await running
    assert scene.engine.running == 0


async def test_a_task_that_is_ended_by_force_leaves_nothing_running(scene: ThreadScene) -> None:
    running = asyncio.ensure_future(scene.run())
    await until(lambda: scene.engine.running, 10, lambda: "a request that runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert scene.engine.running == 0


async def test_an_engine_that_nobody_has_configured_is_a_missing_dependency(scene: ThreadScene) -> None:
    with pytest.raises(WindmillError, match="DEPENDENCY_MISSING: there is no engine comfy in this worker; known: slow"):
        await scene.run("comfy")


async def test_engines_that_cannot_be_opened_fail_the_request_and_are_opened_by_the_next(scene: ThreadScene) -> None:
    scene.broken = True
    with pytest.raises(WindmillError, match="CONFIG_INVALID"):
        await scene.run()
    scene.broken = False
    assert (await scene.run(at_once="yes")).facts == {"in": "engines"}


async def test_closing_closes_the_engines(scene: ThreadScene) -> None:
    scene.thread.close()
    await scene.run(at_once="yes")
    scene.thread.close()
    assert scene.engine.closed


def test_an_engine_that_is_away_is_told_by_its_breaker(scene: ThreadScene) -> None:
    assert (scene.thread.engines, scene.thread.breaker.state) == ([], "closed")
    asyncio.run(scene.run(at_once="yes"))
    (engine,) = scene.thread.engines
    assert scene.thread.breaker.state == "closed"
    engine.breaker.trip(WindmillError("SERVICE_UNREACHABLE", "it is away"))
    assert scene.thread.breaker is engine.breaker
