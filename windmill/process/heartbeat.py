"""The heartbeat of a worker: one row for each of its services, or steps, in the table `workers`.

It writes every ten seconds, and within one when a breaker changes state. Jobs never wait for it: while the database is
away heartbeats are skipped, and the row becomes stale.
"""

import asyncio
import logging
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol
from uuid import UUID, uuid4

from windmill.core.errors import DataRefused, WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.storage.database import Pool, translate_errors
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
OBSERVE_SECONDS = 1.0
RATE_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0
STOP_WRITE_SECONDS = 2.0
HEARTBEATS_BETWEEN_CLEANUPS = 360
MAX_REASON_LENGTH = 300


Execute = Callable[..., Awaitable[object]]


def statement_executor(pool: Pool, settings: DatabaseSettings) -> Execute:
    """Runs statements on a connection of the pool, with a short timeout."""

    async def execute(statement: str, *arguments: object) -> None:
        with translate_errors(settings):
            async with pool.acquire(timeout=TIMEOUT_SECONDS) as connection:
                await connection.execute(statement, *arguments, timeout=TIMEOUT_SECONDS)

    return execute


class Named(Protocol):
    """A service, or a step of jobs."""

    @property
    def name(self) -> str: ...


class Sized(Protocol):
    """The calls, or tasks, that a process makes at once."""

    @property
    def size(self) -> int: ...


class Breaking(Protocol):
    """A breaker, open while the service is down."""

    @property
    def state(self) -> str: ...

    @property
    def reason(self) -> WindmillError | None: ...


class HeartbeatSource(Protocol):
    """What a heartbeat tells of, read again for each one. `counts` are by the names of outcomes."""

    @property
    def service(self) -> Named: ...

    @property
    def counts(self) -> Counter[str]: ...

    @property
    def breaker(self) -> Breaking: ...

    @property
    def in_progress(self) -> int: ...

    @property
    def slots(self) -> Sized: ...

    @property
    def adapts_concurrency(self) -> bool: ...


@dataclass(frozen=True)
class HeartbeatRow:
    """The columns that a heartbeat writes for one service, in the order of the parameters of `note_workers`."""

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


class WatchedService:
    """One service, with its recent jobs and rates."""

    def __init__(self, state: HeartbeatSource, now: float) -> None:
        self._state = state
        self._jobs = 0
        self._last_job: float | None = None
        self._last_minute = deque([(now, 0, 0)])
        self._reported_breaker = "closed"

    def observe(self, now: float) -> bool:
        """Note whether jobs were done; returns whether the breaker changed and the heartbeat must not wait."""
        jobs = self._state.counts.total()
        if jobs != self._jobs:
            self._jobs, self._last_job = jobs, now
        return self._state.breaker.state != self._reported_breaker

    def row(self, now: float) -> HeartbeatRow:
        """The row for now. Rates are those of the last minute, or since the start if that is later."""
        self.observe(now)
        state, counts = self._state, self._state.counts
        done, failed = counts["Stored"], counts["Failed"] + counts["Unreadable"]
        self._reported_breaker = state.breaker.state
        rate, retry_rate = self._rates(now, done + failed, counts["RetryLater"])
        return HeartbeatRow(
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
            concurrency_auto=state.adapts_concurrency,
            breaker=state.breaker.state,
            breaker_reason=_reason(state.breaker.reason),
        )

    def _rates(self, now: float, settled: int, retried: int) -> tuple[float, float]:
        while len(self._last_minute) > 1 and self._last_minute[1][0] <= now - RATE_SECONDS:
            self._last_minute.popleft()
        since, settled_then, retried_then = self._last_minute[0]
        self._last_minute.append((now, settled, retried))
        seconds = now - since
        if seconds <= 0:
            return 0.0, 0.0
        return (settled - settled_then) / seconds, (retried - retried_then) / seconds


def _reason(error: WindmillError | None) -> str | None:
    """The reason as text that PostgreSQL accepts: valid UTF-8 without NUL."""
    if error is None:
        return None
    text = f"{error.code}: {error.message}"[:MAX_REASON_LENGTH]
    return text.encode("utf-8", "replace").decode().replace("\0", "")


class Heartbeat:
    """Writes the rows of this process; `run` finally marks them as stopped."""

    def __init__(
        self,
        states: Sequence[HeartbeatSource],
        settings: Settings,
        execute: Execute,
        *,
        clock: Callable[[], float] = time.monotonic,
        observe_seconds: float = OBSERVE_SECONDS,
        stop_write_seconds: float = STOP_WRITE_SECONDS,
    ) -> None:
        self._process: UUID = uuid4()
        self._identity = (settings.worker_name(), socket.gethostname(), os.getpid())
        self._execute = execute
        self._clock = clock
        self._look_seconds = observe_seconds
        self._write_stopped_seconds = stop_write_seconds
        self._started = clock()
        self._watched = [WatchedService(state, self._started) for state in states]
        self._heartbeats = 0
        self.failing = False

    async def run(self) -> None:
        try:
            while True:
                await self._try(self._write_and_clean_up())
                await self._wait_until_due()
        finally:
            await self._write_stopped()

    async def _write_and_clean_up(self) -> None:
        await self._write(stopped=False)
        if self._heartbeats % HEARTBEATS_BETWEEN_CLEANUPS == 0:
            await self._execute(queries()["forget_gone_workers"], self._process)
        self._heartbeats += 1

    async def _wait_until_due(self) -> None:
        due = self._clock() + HEARTBEAT_SECONDS
        while (now := self._clock()) < due:
            await asyncio.sleep(min(self._look_seconds, due - now))
            changed = [watched.observe(self._clock()) for watched in self._watched]
            if any(changed):
                return

    async def _write(self, *, stopped: bool) -> None:
        now = self._clock()
        rows = [astuple(watched.row(now)) for watched in self._watched]
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
        uptime = now - self._started
        await self._execute(queries()["note_workers"], self._process, *self._identity, uptime, stopped, *columns)

    async def _try(self, work: Awaitable[None]) -> None:
        try:
            await work
            self.failing = False
        except (WindmillError, DataRefused) as error:
            self.failing = True
            logger.debug("the heartbeat was not written", extra={"reason": str(error)})
            task = asyncio.current_task()
            if task and task.cancelling():
                # Cancelled while the server hangs, asyncpg raises the timeout of its clean-up instead.
                raise asyncio.CancelledError from error

    async def _write_stopped(self) -> None:
        """In a separate task, as this one is being cancelled."""
        writing = asyncio.ensure_future(self._try(self._write(stopped=True)))
        await asyncio.wait([writing], timeout=self._write_stopped_seconds)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
