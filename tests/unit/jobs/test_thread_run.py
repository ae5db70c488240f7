"""Tasks in threads: one after the other in the same thread, and nothing of one is left for the next."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.job_scene import CountedStep
from tests.waiting import turns, until
from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, RunningTask, TaskResult
from windmill.jobs.step_threads import StepThreads
from windmill.jobs.task_run import TaskWork, ThreadRun
from windmill.storage.jobs.rows import TaskKey

WORK = TaskWork("1-0-0", JobView(uuid.UUID(int=1), "test", {}, {}, ""), {}, {}, {}, Path(), key=TaskKey(1, 0, 0))


@dataclass(frozen=True)
class ActingStep(CountedStep):
    """Does what it was made with."""

    act: Callable[[RunningTask], Coroutine[Any, Any, object]] = field(kw_only=True)

    async def run(self, task: RunningTask) -> TaskResult:
        return TaskResult({"did": await self.act(task)})


async def thread_name(_: RunningTask) -> int:
    return threading.get_ident()


async def did(threads: StepThreads, act: Callable[[RunningTask], Coroutine[Any, Any, object]]) -> object:
    made = await ThreadRun(ActingStep("act", act=act), WORK, threads).result()
    assert isinstance(made, TaskResult)
    return made.output["did"]


async def test_a_thread_that_has_done_a_task_takes_the_next_one() -> None:
    threads = StepThreads()
    first = await did(threads, thread_name)
    await until(lambda: threads.idle)
    assert first != threading.get_ident()
    assert await did(threads, thread_name) == first


async def test_what_a_task_has_left_behind_ends_before_the_thread_takes_another() -> None:
    threads, ended = StepThreads(), threading.Event()

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def leave(_: RunningTask) -> None:
        kept.append(asyncio.ensure_future(linger()))
        await turns(1)

    kept: list[asyncio.Future[None]] = []
    await did(threads, leave)
    await until(lambda: threads.idle)
    assert ended.is_set()


async def test_a_task_that_does_not_end_when_it_is_asked_to_is_cancelled() -> None:
    threads = StepThreads()

    async def hang(_: RunningTask) -> None:
        await asyncio.Event().wait()

    run = ThreadRun(ActingStep("hang", act=hang), WORK, threads)
    await run.stop()
    with pytest.raises(WindmillError, match="CANCELLED"):
        await run.result()
    await until(lambda: threads.idle)


async def test_what_a_task_raises_is_told_and_its_thread_goes_on() -> None:
    threads = StepThreads()

    async def fail(_: RunningTask) -> None:
        raise WindmillError("USAGE", "no")

    with pytest.raises(WindmillError, match="USAGE: no"):
        await did(threads, fail)
    await until(lambda: threads.idle)
