"""What durability itself costs on these servers: commits, and a publish that a quorum queue confirms."""

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from windmill import broker
from windmill.core.settings import Settings
from windmill.storage import database

COMMITS = 6
"""Of a chain of five steps: the job is written, and each step ends; and somebody claims the first."""
QUEUE = "floor"


@dataclass(frozen=True)
class Floor:
    """Medians in ms."""

    commit: float
    confirm: float

    @property
    def chain(self) -> float:
        """Six commits and one confirm."""
        return COMMITS * self.commit + self.confirm


@dataclass(frozen=True)
class FloorMeter:
    """Takes a commit and a confirm whenever it is asked, between what is compared with them: on a machine with other
    work they take ten times as long in one minute as in the next."""

    settings: Settings
    rows: database.Connection
    commits: list[float] = field(default_factory=list)
    confirms: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """What takes one of each, for a while: a broker gives up a connection that is silent in a long race."""
        await self.rows.execute("CREATE TABLE IF NOT EXISTS floor (number integer)")
        async with broker.connection(self.settings, "bench") as opened:
            await broker.declare_step_queues(opened, self.settings, [QUEUE])
            async with broker.publisher(opened, self.settings) as publisher:
                yield lambda: self._take(publisher)
            await broker.delete_step_queues(opened, self.settings, [QUEUE])

    async def _take(self, publisher: broker.Publisher) -> None:
        self.commits.append(await _milliseconds(self.rows.execute("INSERT INTO floor VALUES (1)")))
        queue = broker.work_queue(self.settings, QUEUE)
        self.confirms.append(await _milliseconds(publisher.to_queue(queue, b"{}", {})))

    @property
    def floor(self) -> Floor | None:
        """None if nothing was taken."""
        return Floor(statistics.median(self.commits), statistics.median(self.confirms)) if self.commits else None


async def _milliseconds(act: Awaitable[object]) -> float:
    before = time.monotonic()
    await act
    return (time.monotonic() - before) * 1000
