"""The tasks that this process holds, and the heartbeat that keeps their leases."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Literal
from uuid import UUID

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.jobs.access import JobAccess
from windmill.jobs.claiming import note_progress, renew_leases
from windmill.jobs.task_run import TaskRun
from windmill.storage.jobs.rows import ClaimedTask

logger = logging.getLogger(__name__)

HEARTBEATS = 30
"""In the time of a lease."""
SAFE_SHARE = 25 / 30
"""Of a lease. A process that could not renew it for so long stops the task before anybody else may have it."""

Asked = Literal["cancel", "lost", "stop"]
"""Why a task is to stop: its job was cancelled, its lease is lost, or the process stops."""


class HeldTask:
    """A task with the lease of this process. Mutable. Times are of this machine's monotonic clock, taken before the
    renewal was sent, so a lease never lasts longer in the database than here."""

    def __init__(self, task: ClaimedTask, claimed_at: float) -> None:
        self.task = task
        self.run: TaskRun | None = None
        self.renewed_at = claimed_at
        self._began = time.monotonic()
        self._asked: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()
        self.told_progress = 0.0

    @property
    def ran(self) -> float:
        """Seconds since it was claimed."""
        return time.monotonic() - self._began

    @property
    def progress(self) -> float:
        return self.run.progress if self.run else 0.0

    @property
    def asked(self) -> "asyncio.Future[Asked]":
        """Done once the task is to stop; the first reason counts."""
        return self._asked

    def ask(self, why: Asked) -> None:
        if not self._asked.done():
            self._asked.set_result(why)


class HeldTasks:
    """All of them."""

    def __init__(self, access: JobAccess, clock: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._clock = clock
        self._held: dict[UUID, HeldTask] = {}
        self.database = Outage("the database")

    def __iter__(self) -> Iterator[HeldTask]:
        return iter(list(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    def add(self, task: ClaimedTask, claimed_at: float) -> HeldTask:
        self._held[task.lease] = HeldTask(task, claimed_at)
        return self._held[task.lease]

    def remove(self, held: HeldTask) -> None:
        self._held.pop(held.task.lease, None)

    def is_safe(self, held: HeldTask) -> bool:
        """Whether nobody else can have the task."""
        return self._clock() - held.renewed_at < self._access.settings.task_lease_seconds * SAFE_SHARE

    async def beat_for_ever(self, on_beat: Callable[[], None] = lambda: None) -> None:
        """Renew all leases, again and again; each beat is short, so one that does not come means that all hangs."""
        pause = self._access.settings.task_lease_seconds / HEARTBEATS
        while True:
            started = self._clock()
            on_beat()
            await self.beat()
            await asyncio.sleep(max(pause - (self._clock() - started), pause / 10))

    async def beat(self) -> None:
        """Renew all leases once, and pass on what is asked."""
        held = list(self)
        if held:
            try:
                async with asyncio.timeout(self._access.settings.task_lease_seconds * SAFE_SHARE / 2):
                    await self._renew(held)
                self.database.over()
            except (WindmillError, TimeoutError) as error:
                self.database.failed(error)
        for one in self:
            if not self.is_safe(one):
                one.ask("lost")

    async def _renew(self, held: list[HeldTask]) -> None:
        before = self._clock()
        progress = [one.progress for one in held]
        statuses = await renew_leases(self._access, [one.task for one in held], progress)
        for one in held:
            status = statuses.get(one.task.lease)
            if status is not None:
                one.renewed_at = before
            if status is None and one.task.lease in self._held:
                one.ask("lost")
            elif status == "cancelling":
                one.ask("cancel")
        await self._tell_progress(held, progress)

    async def _tell_progress(self, held: list[HeldTask], progress: list[float]) -> None:
        """Once a heartbeat for each job whose tasks have come further."""
        further = {one.task.job_id for one, now in zip(held, progress, strict=True) if now > one.told_progress}
        for one, now in zip(held, progress, strict=True):
            one.told_progress = now
        await note_progress(self._access, sorted(further))
