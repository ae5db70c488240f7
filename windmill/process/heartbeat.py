"""What a process says of itself while it runs: one row for each of its services in the table `workers`.

It looks at its services every second and writes every ten, or at once when a breaker changed. That costs a job
nothing, and a database that is away costs the worker nothing: who reads the table sees that no heartbeat comes.
"""

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any
from uuid import UUID, uuid4

from windmill.calling.service_state import ServiceState
from windmill.core.errors import DataRefused, WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.storage.database import Pool, converted
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0
RATE_SECONDS = 60.0
WAIT_SECONDS = 5.0
GOODBYE_SECONDS = 2.0
BEATS_BETWEEN_CLEANINGS = 360
LONGEST_REASON = 300


Execute = Callable[..., Awaitable[object]]


def executor(pool: Pool, settings: DatabaseSettings) -> Execute:
    """Runs a statement on a connection of the pool, or gives up soon."""

    async def execute(statement: str, *arguments: object) -> None:
        with converted(settings):
            async with pool.acquire(timeout=WAIT_SECONDS) as connection:
                await connection.execute(statement, *arguments, timeout=WAIT_SECONDS)

    return execute


@dataclass(frozen=True)
class Beat:
    """What a process says of one of its services with each heartbeat, in the order in which `note_workers` takes it."""

    service: str
    job_seconds: float | None
    done: int
    failed: int
    retried: int
    unavailable: int
    rate: float
    retry_rate: float
    in_progress: int
    concurrency: int
    concurrency_auto: bool
    breaker: str
    breaker_reason: str | None


class Watched:
    """One service and what it did lately."""

    def __init__(self, state: ServiceState, now: float) -> None:
        self._state = state
        self._jobs = 0
        self._last_job: float | None = None
        self._minute = deque([(now, 0, 0)])
        self._said = "closed"

    def look(self, now: float) -> bool:
        """Note whether jobs were done; returns whether there is news that cannot wait."""
        jobs = self._state.counts.total()
        if jobs != self._jobs:
            self._jobs, self._last_job = jobs, now
        return self._state.breaker.state != self._said

    def beat(self, now: float) -> Beat:
        """As it is now. Rates are those of the last minute, or since the start when that is nearer."""
        self.look(now)
        state, counts = self._state, self._state.counts
        done, failed = counts["Stored"], counts["Failed"] + counts["Unreadable"]
        self._said = state.breaker.state
        rate, retry_rate = self._rates(now, done + failed, counts["RetryLater"])
        return Beat(
            service=state.service.name,
            job_seconds=None if self._last_job is None else now - self._last_job,
            done=done,
            failed=failed,
            retried=counts["RetryLater"],
            unavailable=counts["Unavailable"],
            rate=rate,
            retry_rate=retry_rate,
            in_progress=state.in_progress,
            concurrency=state.slots.size,
            concurrency_auto=state.finds_its_concurrency,
            breaker=state.breaker.state,
            breaker_reason=_reason(state.breaker.reason),
        )

    def _rates(self, now: float, settled: int, retried: int) -> tuple[float, float]:
        while len(self._minute) > 1 and self._minute[1][0] <= now - RATE_SECONDS:
            self._minute.popleft()
        since, settled_then, retried_then = self._minute[0]
        self._minute.append((now, settled, retried))
        seconds = now - since
        if seconds <= 0:
            return 0.0, 0.0
        return (settled - settled_then) / seconds, (retried - retried_then) / seconds


def _reason(error: WindmillError | None) -> str | None:
    """As PostgreSQL takes it, whatever the service said."""
    if error is None:
        return None
    said = f"{error.code}: {error.message}"[:LONGEST_REASON]
    return said.encode("utf-8", "replace").decode().replace("\0", "")


class Presence:
    """Writes the rows of this process; `run` ends by saying that it stopped."""

    def __init__(
        self,
        states: Sequence[ServiceState],
        settings: Settings,
        execute: Execute,
        *,
        clock: Callable[[], float] = time.monotonic,
        look_seconds: float = LOOK_SECONDS,
        goodbye_seconds: float = GOODBYE_SECONDS,
    ) -> None:
        self._process: UUID = uuid4()
        self._who = (settings.worker_name(), socket.gethostname(), os.getpid())
        self._execute = execute
        self._clock = clock
        self._look_seconds = look_seconds
        self._goodbye_seconds = goodbye_seconds
        self._started = clock()
        self._watched = [Watched(state, self._started) for state in states]
        self._beats = 0
        self.silent = False

    async def run(self) -> None:
        try:
            while True:
                await self._try(self._beat())
                await self._until_worth_saying()
        finally:
            await self._goodbye()

    async def _beat(self) -> None:
        await self._write(stopped=False)
        if self._beats % BEATS_BETWEEN_CLEANINGS == 0:
            await self._execute(queries()["forget_gone_workers"], self._process)
        self._beats += 1

    async def _until_worth_saying(self) -> None:
        due = self._clock() + BEAT_SECONDS
        while (now := self._clock()) < due:
            await asyncio.sleep(min(self._look_seconds, due - now))
            news = [watched.look(self._clock()) for watched in self._watched]
            if any(news):
                return

    async def _write(self, *, stopped: bool) -> None:
        now = self._clock()
        beats = [astuple(watched.beat(now)) for watched in self._watched]
        columns: list[list[Any]] = [list(column) for column in zip(*beats, strict=True)]
        up = now - self._started
        await self._execute(queries()["note_workers"], self._process, *self._who, up, stopped, *columns)

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
            self.silent = False
        except (WindmillError, DataRefused) as error:
            self.silent = True
            logger.debug("no heartbeat was written", extra={"reason": str(error)})
            task = asyncio.current_task()
            if task and task.cancelling():
                # The driver, cancelled while the server hangs, raises the timeout of its clean-up instead.
                raise asyncio.CancelledError from error

    async def _goodbye(self) -> None:
        """In a task of its own, as this one is being cancelled."""
        goodbye = asyncio.ensure_future(self._try(self._write(stopped=True)))
        await asyncio.wait([goodbye], timeout=self._goodbye_seconds)
        goodbye.cancel()
        await asyncio.gather(goodbye, return_exceptions=True)
