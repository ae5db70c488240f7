"""A task while it runs in this process, as its step sees it, and in a thread of its own where it needs no process."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from windmill.core.errors import WindmillError, unexpected
from windmill.jobs.step import InputFiles, JobView, ShardInput, Step, Suspended, TaskResult
from windmill.jobs.step_threads import StepThreads
from windmill.storage.jobs.rows import Document, TaskKey

STOP_SECONDS = 0.5
"""What a task may take to stop by itself once it is cancelled."""


@dataclass(frozen=True)
class TaskWork:
    """What is to be done: the job, what was planned, the files, and a folder of its own."""

    name: str
    job: JobView
    input: ShardInput
    parameters: Document
    files: InputFiles
    scratch: Path
    key: TaskKey = field(kw_only=True)
    resumed: Document | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class GivenTask(TaskWork):
    """What a step is given to run a task."""

    report: Callable[[float], None]
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def progress(self, done: float) -> None:
        self.report(min(max(done, 0.0), 1.0))


class TaskRun(Protocol):
    """A task that runs."""

    @property
    def progress(self) -> float: ...

    async def result(self) -> TaskResult | Suspended:
        """What it has made, when it is done, or for what it waits; raises WindmillError."""
        ...

    async def stop(self) -> None:
        """Stop it, whatever it does; nothing of it is left when this returns."""
        ...


async def run_step(step: Step, task: GivenTask) -> TaskResult | Suspended:
    """Run a task in this loop; whatever a step raises is a WindmillError."""
    try:
        async with asyncio.timeout(step.limits.timeout_seconds):
            return await step.run(task)
    except TimeoutError as error:
        seconds = step.limits.timeout_seconds
        raise WindmillError("STEP_TIMEOUT", f"{step.name} was not done within {seconds:g} s") from error
    except WindmillError:
        raise
    except MemoryError as error:
        said = f"{step.name} needs more memory than a step may take"
        raise WindmillError("OUT_OF_MEMORY", said, "take smaller files, or raise STEP_MEMORY_BYTES", "never") from error
    except Exception as error:
        raise unexpected(error) from error


class ThreadRun:
    """Runs a task in a thread with an event loop of its own, so that it may block. It is started by the constructor.

    A thread cannot be killed: a step that may hang outside Python, or starts what must end with it, runs in a child."""

    def __init__(self, step: Step, work: TaskWork, threads: StepThreads) -> None:
        self.progress = 0.0
        self._step = step
        self._given = GivenTask(**vars(work), report=self._report)
        self._ours = asyncio.get_running_loop()
        self._done: asyncio.Future[TaskResult | Suspended] = self._ours.create_future()
        self._task: asyncio.Task[None] | None = None
        self._threads, self._thread = threads, threads.take()
        self._thread.call(self._begin)

    async def result(self) -> TaskResult | Suspended:
        return await asyncio.shield(self._done)

    async def stop(self) -> None:
        if self._done.done():
            return
        self._thread.call(self._given.cancelled.set)
        await asyncio.wait([self._done], timeout=STOP_SECONDS)
        if not self._done.done():
            self._thread.call(self._cancel)
        with contextlib.suppress(WindmillError, asyncio.CancelledError):
            await asyncio.shield(self._done)

    def _report(self, done: float) -> None:
        self.progress = max(self.progress, done)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            outcome: TaskResult | Suspended | BaseException = await run_step(self._step, self._given)
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            outcome = error
        self._task = None
        with contextlib.suppress(RuntimeError):  # the process ends
            self._ours.call_soon_threadsafe(self._settle, outcome)
            await self._thread.clear()
            self._ours.call_soon_threadsafe(self._threads.give_back, self._thread)

    def _settle(self, outcome: TaskResult | Suspended | BaseException) -> None:
        if isinstance(outcome, BaseException):
            stopped = isinstance(outcome, asyncio.CancelledError)
            self._done.set_exception(WindmillError("CANCELLED", "the task was stopped") if stopped else outcome)
            self._done.exception()  # nobody may be waiting any more
        else:
            self._done.set_result(outcome)
