"""What durability itself costs on these servers: commits, and a publish that a quorum queue confirms."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from windmill import broker
from windmill.core.settings import Settings
from windmill.storage import database

TIMES = 100
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


async def measure_floor(settings: Settings, rows: database.Connection) -> Floor:
    await rows.execute("CREATE TABLE IF NOT EXISTS floor (number integer)")
    commit = await _median(lambda: rows.execute("INSERT INTO floor VALUES (1)"))
    async with broker.connection(settings, "bench") as opened, broker.publisher(opened, settings) as publisher:
        await broker.declare_step_queues(opened, settings, [QUEUE])
        queue = broker.work_queue(settings, QUEUE)
        confirm = await _median(lambda: publisher.to_queue(queue, b"{}", {}))
        await broker.delete_step_queues(opened, settings, [QUEUE])
    return Floor(commit, confirm)


async def _median(act: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(TIMES):
        before = time.monotonic()
        await act()
        taken.append(time.monotonic() - before)
        await asyncio.sleep(0)
    return statistics.median(taken) * 1000
