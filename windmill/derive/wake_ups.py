"""Sleeping until images are stale: PostgreSQL tells of new marks while a stage has asked for that, and of marks that
come due later the stage knows when. decisions/0026 tells why nothing is missed, and why writers tell only a stage that
sleeps.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable

from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import Stage
from windmill.storage.database import CONNECT_SECONDS, Pool, PooledConnection, translate_errors
from windmill.storage.queries import queries

LOOK_SECONDS = 4.0
"""A stage looks so often although nobody tells it anything: of marks that somebody made due by hand nobody tells."""
BUSY_SECONDS = 1.0
"""A stage that always finds something for so long need not be told of more."""
LONGEST_NAP_SECONDS = 0.4
"""Between two looks of a process whose stage sleeps in another process, which is told."""


class WakeUps:
    """The bells of the stages of one process. Enter it with `async with`; it keeps a connection of the pool."""

    def __init__(
        self,
        pool: Pool,
        settings: DerivationSettings,
        stages: Iterable[Stage],
        stop: asyncio.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool, self._settings, self._stop, self._clock = pool, settings, stop, clock
        self._bells: dict[Stage, asyncio.Event] = {stage: asyncio.Event() for stage in stages}
        self._told: set[Stage] = set()
        self._busy_since: dict[Stage, float] = {}
        self._naps: dict[Stage, float] = {}
        self._connection: PooledConnection | None = None
        self._one_at_a_time = asyncio.Lock()
        self._ringer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "WakeUps":
        self._ringer = asyncio.create_task(self._ring_when_stopped())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ringer:
            self._ringer.cancel()
            await asyncio.gather(self._ringer, return_exceptions=True)
        if self._connection:
            self._connection.terminate()  # with it goes what it has locked

    async def wait(self, stage: Stage) -> bool:
        """Return when marks of the stage may be due (True), or after a while; raises database errors."""
        sql = queries()
        seconds = await self._ask(sql["seconds_until_due"], stage)
        if seconds > 0.0 and stage not in self._told and await self._ask(sql["tell_of_marks"], stage):
            self._told.add(stage)
            seconds = await self._ask(sql["seconds_until_due"], stage)  # what was marked before nobody tells
        if seconds <= 0.0:
            await self._on_work(stage)
            return True
        self._busy_since.pop(stage, None)
        return await self._sleep(stage, seconds)

    async def _on_work(self, stage: Stage) -> None:
        self._naps.pop(stage, None)
        began = self._busy_since.setdefault(stage, self._clock())
        if stage in self._told and self._clock() - began >= BUSY_SECONDS:
            self._told.discard(stage)
            await self._ask(queries()["tell_no_more"], stage)

    async def _sleep(self, stage: Stage, seconds: float) -> bool:
        longest = LOOK_SECONDS if stage in self._told else self._next_nap(stage)
        bell = self._bells[stage]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, longest)):
                await bell.wait()
        rang = bell.is_set() and not self._stop.is_set()
        if rang:
            bell.clear()
        return rang or seconds <= longest

    def _next_nap(self, stage: Stage) -> float:
        """A writer is about to commit, or another process has the lock: soon, and later and later."""
        nap = self._naps.get(stage, self._settings.poll_milliseconds / 1000)
        self._naps[stage] = min(2 * nap, max(nap, LONGEST_NAP_SECONDS))
        return nap

    async def _ask(self, statement: str, stage: Stage) -> float:
        with translate_errors(self._settings):
            async with self._one_at_a_time:
                connection = await self._opened()
                return float(await connection.fetchval(statement, stage))

    async def _opened(self) -> PooledConnection:
        if self._connection is None:
            opened = await self._pool.acquire(timeout=CONNECT_SECONDS)
            try:
                for stage in self._bells:
                    await opened.add_listener(f"windmill_{stage}", self._ring)
            except BaseException:
                opened.terminate()
                raise
            opened.add_termination_listener(self._on_lost)
            self._connection = opened
        return self._connection

    def _on_lost(self, _connection: object) -> None:
        """Whatever it had locked is free, so nobody tells this process any more."""
        self._connection = None
        self._told.clear()
        for bell in self._bells.values():
            bell.set()

    def _ring(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        for stage, bell in self._bells.items():
            if channel == f"windmill_{stage}":
                bell.set()

    async def _ring_when_stopped(self) -> None:
        await self._stop.wait()
        for bell in self._bells.values():
            bell.set()
