"""The slots of one step in this process. A free slot claims a task when a token comes, when this process knows of a new
task, and once a second anyhow."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.claiming import claim_task
from windmill.jobs.held_tasks import HeldTask, HeldTasks
from windmill.jobs.step import Step
from windmill.jobs.step_state import StepState
from windmill.jobs.task_worker import TaskWorker
from windmill.jobs.token_feed import TokenFeed
from windmill.process.runner import pause

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0

T = TypeVar("T")
OnChange = Callable[[Change], Awaitable[None]]


class StepSlots:
    """`feed` is set while the broker is there."""

    def __init__(
        self, step: Step, access: JobAccess, held: HeldTasks, worker: TaskWorker, on_change: OnChange, name: str
    ) -> None:
        self.step = step
        self.state = StepState(step)
        self.feed: TokenFeed | None = None
        self._access, self._held, self._worker = access, held, worker
        self._on_change = on_change
        self._name = name
        self._free = asyncio.Semaphore(step.limits.concurrency)
        self._woken = asyncio.Event()
        self._working: set[asyncio.Task[None]] = set()

    @property
    def working(self) -> int:
        return len(self._working)

    @property
    def idle(self) -> int:
        """Slots that may take a task."""
        return 0 if self.state.paused else self.step.limits.concurrency - self.working

    def wake(self) -> None:
        """There may be a task: claim now."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and work until `stop` is set; what has been started goes on."""
        while not stop.is_set():
            async with self._free:
                pass
            if stop.is_set() or not await self._claim():
                await self._wait(stop)
        await self._feed(lambda feed: feed.pause())

    async def ended(self) -> None:
        """Return when nothing is worked on any more."""
        while self._working:
            await asyncio.wait(self._working)

    async def _claim(self) -> bool:
        """Claim a task and start on it; whether there was one."""
        if self.state.paused or self._worker.turns.wanted_alone:
            return False
        before = time.monotonic()
        try:
            task = await claim_task(self._access, self.step.name, self.step.version, self._name)
            self._held.database.over()
            self.state.claimed(time.monotonic() - before)
        except WindmillError as error:
            self._held.database.failed(error)
            return False
        if self.feed:
            self.feed.acknowledge()
        if task is None:
            return False
        await self._free.acquire()
        self.state.in_progress += 1
        working = asyncio.ensure_future(self._work(self._held.add(task, before)))
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        if self._free.locked():
            await self._feed(lambda feed: feed.pause())
        return True

    async def _work(self, held: HeldTask) -> None:
        change = None
        try:
            change = await self._worker.work(held)
            if change:
                await self._on_change(change)
        except Exception:  # a bug here ends neither the process nor its other tasks; the lease ends by itself
            logger.exception("a task could not be ended", extra={"step": self.step.name})
        finally:
            self.state.in_progress -= 1
            self.state.ended(change)
            self._free.release()
            self._woken.set()

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until a token comes, somebody wakes us, or a second has passed. While the step is paused, tokens are left to
        the queue."""
        if self.state.paused:
            await self._feed(lambda feed: feed.pause())
            await pause(stop, IDLE_SECONDS)
            return
        if await self._feed(lambda feed: feed.lull()):
            return
        await self._feed(lambda feed: feed.open())
        waits = [asyncio.ensure_future(one) for one in (self._woken.wait(), stop.wait(), self._token())]
        try:
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._woken.clear()

    async def _token(self) -> None:
        await self._feed(lambda feed: feed.wait(IDLE_SECONDS))
        if not self.feed:
            await asyncio.sleep(IDLE_SECONDS)

    async def _feed(self, use: Callable[[TokenFeed], Awaitable[T]]) -> T | None:
        """Use the feed if there is one; without the broker, or when it goes away, jobs go on more slowly."""
        feed = self.feed
        try:
            return await use(feed) if feed else None
        except WindmillError:
            self.feed = None
            return None
