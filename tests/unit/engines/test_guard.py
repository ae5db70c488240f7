"""The guard of an engine: whose fault a failure is, and who gets through while the engine is ill."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import settled
from windmill.core.errors import Code, WindmillError
from windmill.engines.engine import (
    EngineHealth,
    EngineKind,
    EngineOutput,
    EngineRequest,
    EngineResult,
    EngineWaits,
    OnProgress,
)
from windmill.engines.entries import BuiltinEntry
from windmill.engines.guard import GuardedEngine

REQUEST = EngineRequest("job-1", {}, {}, Path("/nowhere"))
DONE = EngineOutput(())


class FakeEngine:
    """An engine that ends as it is told, and counts what runs at the same time."""

    name = "it"
    kind: EngineKind = "builtin"

    def __init__(self) -> None:
        self.well = True
        self.raises: Exception | None = None
        self.progress: tuple[float, ...] = ()
        self.result: EngineResult = DONE
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.running = self.most = self.runs = self.checks = 0

    async def check(self) -> EngineHealth:
        self.checks += 1
        return EngineHealth(self.well, "well" if self.well else "it is away")

    async def run(self, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event) -> EngineResult:
        self.runs += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for progress in self.progress:
                on_progress(progress)
            await self.go_on.wait()
            if self.raises:
                raise self.raises
            return self.result
        finally:
            self.running -= 1

    async def close(self) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def guarded(fake: FakeEngine, clock: Callable[[], float], **entry: float) -> GuardedEngine:
    return GuardedEngine(fake, BuiltinEntry(**entry), clock=clock)  # type: ignore[arg-type]


async def run(engine: GuardedEngine, told: list[float] | None = None) -> EngineResult:
    return await engine.run(REQUEST, (told if told is not None else list[float]()).append, asyncio.Event())


async def failure(engine: GuardedEngine) -> WindmillError:
    with pytest.raises(WindmillError) as raised:
        await run(engine)
    return raised.value


async def test_progress_never_falls_and_never_passes_1() -> None:
    fake, told = FakeEngine(), list[float]()
    fake.progress = (0.2, 0.1, 0.2, -4, 0.7, 9, 1)
    await run(guarded(fake, Clock()), told)
    assert told == [0.2, 0.7, 1.0]


@pytest.mark.parametrize("code", ["SERVICE_ERROR", "PROCESS_FAILED", "BAD_RESPONSE"])
async def test_a_failure_of_a_well_engine_is_the_jobs(code: Code) -> None:
    fake = FakeEngine()
    fake.raises = WindmillError(code, "it broke")
    engine = guarded(fake, Clock())
    assert (await failure(engine)).retry == "later"
    assert engine.breaker.state == "closed"


async def test_a_failure_of_an_ill_engine_costs_no_job_a_try() -> None:
    fake = FakeEngine()
    fake.raises, fake.well = WindmillError("SERVICE_ERROR", "it broke"), False
    engine = guarded(fake, Clock())
    error = await failure(engine)
    assert (error.code, error.retry) == ("ENGINE_OFFLINE", "pause")
    assert "it is away" in error.message
    assert "it broke" in error.message
    assert engine.breaker.state == "open"


async def test_while_it_is_ill_jobs_are_turned_away_at_once_and_told_when_to_come_again() -> None:
    fake, clock = FakeEngine(), Clock()
    fake.raises = WindmillError("SERVICE_OVERLOADED", "too much", retry_after=20)
    engine = guarded(fake, clock)
    await failure(engine)
    error = await failure(engine)
    assert (error.code, error.retry) == ("SERVICE_OVERLOADED", "pause")
    assert error.retry_after == 20
    assert fake.runs == 1


async def test_it_gets_a_job_again_when_its_check_says_so() -> None:
    fake, clock = FakeEngine(), Clock()
    fake.raises, fake.well = WindmillError("ENGINE_OFFLINE", "away"), False
    engine = guarded(fake, clock, concurrency=3)
    await failure(engine)
    clock.now += 60
    assert (await failure(engine)).retry == "pause"
    assert fake.runs == 1
    clock.now += 60
    fake.raises, fake.well = None, True
    assert await run(engine) == DONE
    assert engine.breaker.state == "closed"
    assert engine.slots.size == 3


async def test_no_more_run_at_once_than_it_takes() -> None:
    fake = FakeEngine()
    fake.go_on.clear()
    engine = guarded(fake, Clock(), concurrency=2)
    tasks = [asyncio.create_task(run(engine)) for _ in range(5)]
    await settled()
    assert fake.running == 2
    fake.go_on.set()
    await asyncio.gather(*tasks)
    assert fake.most == 2


async def test_who_waits_for_a_slot_can_be_cancelled_and_holds_none() -> None:
    fake = FakeEngine()
    fake.go_on.clear()
    engine = guarded(fake, Clock())
    first, cancelled = asyncio.create_task(run(engine)), asyncio.Event()
    await settled()
    second = asyncio.create_task(engine.run(REQUEST, lambda _: None, cancelled))
    third = asyncio.create_task(run(engine))
    await settled()
    cancelled.set()
    third.cancel()
    with pytest.raises(WindmillError, match="CANCELLED"):
        await second
    fake.go_on.set()
    await first
    assert engine.slots.taken == 0


async def test_the_time_limit_is_told_as_such() -> None:
    fake = FakeEngine()
    fake.go_on.clear()
    error = await failure(guarded(fake, Clock(), timeout_seconds=0.01))
    assert (error.code, error.retry) == ("ENGINE_TIMEOUT", "later")
    assert fake.running == 0


async def test_a_full_disk_is_told_by_its_code() -> None:
    fake = FakeEngine()
    fake.raises = OSError(28, "No space left on device")
    assert (await failure(guarded(fake, Clock()))).code == "INSUFFICIENT_DISK_SPACE"


async def test_a_cancelled_job_says_nothing_about_the_engine() -> None:
    fake = FakeEngine()
    fake.raises = WindmillError("CANCELLED", "the job was cancelled")
    engine = guarded(fake, Clock())
    assert (await failure(engine)).code == "CANCELLED"
    assert (engine.breaker.state, fake.checks) == ("closed", 0)


async def test_what_becomes_of_requests_is_counted() -> None:
    fake, clock = FakeEngine(), Clock()
    engine = guarded(fake, clock)
    await run(engine)
    fake.result = EngineWaits({}, 60, 0.5)
    assert await run(engine) == fake.result
    fake.raises = WindmillError("SERVICE_ERROR", "it broke")
    await failure(engine)
    fake.raises = WindmillError("CANCELLED", "the job was cancelled")
    await failure(engine)
    assert engine.calls == {
        ("succeeded", ""): 1,
        ("waiting", ""): 1,
        ("failed", "SERVICE_ERROR"): 1,
        ("cancelled", ""): 1,
    }
    assert (sum(engine.seconds.counts), engine.running) == (2, 0)


@pytest.mark.parametrize(("task", "runs"), [("generate_image", 1), ("", 1), ("restore_faces", 0)])
async def test_an_engine_is_not_asked_for_a_task_that_it_cannot_do(task: str, runs: int) -> None:
    fake = FakeEngine()
    engine = GuardedEngine(fake, BuiltinEntry(tasks=("generate_image",)))
    request = EngineRequest("job-1", {}, {"task": task}, Path("/nowhere"))
    if runs:
        await engine.run(request, lambda _: None, asyncio.Event())
    else:
        with pytest.raises(WindmillError, match="DEPENDENCY_MISSING: the engine it does not do restore_faces"):
            await engine.run(request, lambda _: None, asyncio.Event())
    assert fake.runs == runs
