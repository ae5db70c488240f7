"""The slots of one step in this process. A free slot claims a task when a token comes, when this process knows of a new
task, and once a second anyhow. Or it is given the next task of a job that this process has just ended one of."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from windmill.core.errors import WindmillError
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.claiming import claim_task
from windmill.jobs.free_slots import FreeSlots
from windmill.jobs.held_tasks import HeldTask, HeldTasks
from windmill.jobs.step import Step
from windmill.jobs.step_state import StepState
from windmill.jobs.task_worker import LOST_BEFORE_ALONE, TaskWorker
from windmill.jobs.token_feed import TokenFeed
from windmill.process.runner import pause
from windmill.storage.jobs.rows import ClaimedTask

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
MOMENT_SECONDS = 0.01
"""A slot that is free again so soon was never said to be taken."""

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
        self._free = FreeSlots(step.limits.concurrency)
        self._woken = asyncio.Event()
        self._stop: asyncio.Event | None = None
        self._working: set[asyncio.Task[None]] = set()
        self.together: Mapping[str, StepSlots] = {}
        """The slots of all steps of this process, by step: it goes on with their tasks."""

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
        if self.feed:
            self.feed.rouse()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and work until `stop` is set; what has been started goes on."""
        self._stop = stop
        while not stop.is_set():
            await self._until_free()
            if stop.is_set() or not await self._claim():
                await self._wait(stop)
        await self._feed(lambda feed: feed.pause())

    async def ended(self) -> None:
        """Return when nothing is worked on any more."""
        while self._working:
            await asyncio.wait(self._working)

    def keep(self, version: int) -> bool:
        """Keep a slot for a task that this process goes on with, if it can start now."""
        stops = self._stop is None or self._stop.is_set()
        waits = self.state.paused or self._worker.turns.wanted_alone
        if stops or waits or version != self.step.version or not self._free.take():
            return False
        if self._free.none:
            self.wake()  # to take no more tokens
        return True

    def give_back(self) -> None:
        """Free a slot that was kept."""
        self._free.give_back()

    def begin(self, task: ClaimedTask, claimed_at: float) -> None:
        """Work on a task that was claimed, in a slot that was taken for it."""
        held = self._held.add(task, claimed_at)
        if self._stop and self._stop.is_set():
            held.ask("stop")  # those that ran when the grace ended were asked without this one
        self.state.in_progress += 1
        working = asyncio.ensure_future(self._work(held))
        self._working.add(working)
        working.add_done_callback(self._working.discard)

    async def _until_free(self) -> None:
        """Wait for a free slot. Meanwhile tokens are for others, but for a task that has ended in no time the broker is
        not told."""
        if self._free.none:
            await self._free.wait(MOMENT_SECONDS)
        if self._free.none:
            await self._feed(lambda feed: feed.pause())
            await self._free.wait()

    async def _claim(self) -> bool:
        """Claim a task and start on it; whether there may be more."""
        if self.state.paused or self._worker.turns.wanted_alone:
            return False
        if not self._free.take():
            return True
        before = time.monotonic()
        task = None
        try:
            task = await claim_task(self._access, self.step.name, self.step.version, self._name)
            self._held.database.over()
            self.state.claimed(time.monotonic() - before)
        except WindmillError as error:
            self._held.database.failed(error)
            return False
        finally:
            if task is None:
                self._free.give_back()
        if self.feed:
            self.feed.acknowledge()
        if task is None:
            return False
        self.begin(task, before)
        return True

    async def _work(self, held: HeldTask) -> None:
        change = None
        next_slot = NextSlot(self._name, self.together)
        try:
            change = await self._worker.work(held, next_slot)
            next_slot.settle(change)
            if change:
                await self._on_change(change)
        except Exception:  # a bug here ends neither the process nor its other tasks; the lease ends by itself
            logger.exception("a task could not be ended", extra={"step": self.step.name})
        finally:
            next_slot.settle(None)
            self.state.in_progress -= 1
            self.state.ended(change)
            self._free.give_back()
            if held.task.lost >= LOST_BEFORE_ALONE:
                self.wake()  # nothing was claimed while it ran alone

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until a token comes, somebody wakes us, or a second has passed. While the step is paused, tokens are left to
        the queue."""
        if self.state.paused:
            await self._feed(lambda feed: feed.pause())
            await pause(stop, IDLE_SECONDS)
            return
        if not self._woken.is_set():
            if await self._feed(lambda feed: feed.lull()):
                return
            await self._feed(lambda feed: feed.open())
            await self._until_woken(stop)
        self._woken.clear()

    async def _until_woken(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(one) for one in (self._woken.wait(), stop.wait(), self._token())]
        try:
            await asyncio.wait(waits, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

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


class NextSlot:
    """A slot for the task that a worker goes on with, kept while the transaction decides whether there is one."""

    def __init__(self, worker: str, together: Mapping[str, StepSlots]) -> None:
        self.worker = worker
        self._together = together
        self._kept: StepSlots | None = None
        self._kept_at = 0.0

    def keep_slot(self, step: str, version: int) -> bool:
        self.settle(None)  # of a transaction that failed
        slots = self._together.get(step)
        if slots is None or not slots.keep(version):
            return False
        self._kept, self._kept_at = slots, time.monotonic()
        return True

    def settle(self, change: Change | None) -> None:
        """The transaction is over: begin the task in the slot, or free it."""
        slots, self._kept = self._kept, None
        if slots and change and change.next_task:
            slots.begin(change.next_task, self._kept_at)
        elif slots:
            slots.give_back()
