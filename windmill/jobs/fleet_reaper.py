"""Reaping in processes that run no steps. A fleet whose workers of steps are scaled to zero still takes over what was
lost, and its steps get the tokens by which somebody starts a worker. All processes of a fleet take turns, and the rest
of this package is loaded only once there is something to end."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.process.lifecycle import Program
from windmill.process.metric import Sample
from windmill.process.scraped_rows import ScrapedRows
from windmill.process.step_metrics import lost_lease_samples, step_work_samples
from windmill.storage.database import CONNECT_SECONDS, Pool, translate_errors
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

REAP_SECONDS = 2.0
TOKEN_SECONDS = 1.5
"""Between two looks, by anybody, for steps without workers."""
ASK_SECONDS = 10.0
"""Between two questions to the broker about as many tokens: each costs a connection."""
EARLY = 0.75
"""A turn is due after this share of the time between two: the pauses of a process differ, and if it is the only one and
comes a little early, it must not wait for another whole one."""
MOST_TOKENS = 100
"""For a step that no worker serves: they only have to be seen."""
UNATTENDED_SECONDS = 25.0
"""A worker that was silent for so long is taken for lost: this is more than two heartbeats, and less than its leases
last, so when they are over there are tokens at once. Tokens for a worker that was not lost do no harm."""


class FleetReaper:
    """`lost` counts the leases that this process has taken over, by step."""

    def __init__(self, program: Program, pool: Pool, *, reap_seconds: float = REAP_SECONDS) -> None:
        self._program, self._settings, self._pool = program, program.settings, pool
        self._seconds = reap_seconds
        self._work = step_work_reader(program.settings)
        self._asked: tuple[Mapping[str, int], float] = ({}, 0.0)
        self.lost: Counter[str] = Counter()

    async def reap_for_ever(self) -> None:
        """End what nobody has ended."""
        await self._take_turns("reap", self._seconds, self.reap)

    async def top_up_for_ever(self) -> None:
        """Publish tokens for steps that no worker serves; for a process that has a broker."""
        await self._take_turns("tokens", TOKEN_SECONDS, self.top_up)

    async def _take_turns(self, name: str, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                if await self._fetchval(queries()["take_turn"], name, seconds * EARLY):
                    await work()
            except WindmillError as error:
                logger.debug("not reaped", extra={"reason": str(error)})
            except Exception:  # one job that trips over a bug here must not end the processes of other work
                logger.exception("reaping failed")
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))

    async def samples(self) -> list[Sample]:
        """What this process took over, and what there is to do in the whole fleet."""
        return [*lost_lease_samples(self.lost), *await self._work.samples(self._pool)]

    async def reap(self) -> Mapping[str, int]:
        """One round, if there is anything to end; the tasks that can be claimed since, by step."""
        if not await self._fetchval(queries()["is_reaping_due"]):
            return {}
        from windmill.jobs.access import JobAccess
        from windmill.jobs.reaping import reap
        from windmill.jobs.step import StepCatalog

        access = JobAccess(self._pool, self._settings, StepCatalog([]))
        return await reap(access, grace_seconds=self._settings.task_lease_seconds, lost=self.lost)

    async def top_up(self) -> None:
        """Publish the tokens that are missing."""
        silent = min(UNATTENDED_SECONDS, self._settings.task_lease_seconds * 0.8)
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                rows = await connection.fetch(queries()["list_unattended_steps"], silent)
        wanted, (asked, at) = {row["step"]: min(row["tasks"], MOST_TOKENS) for row in rows}, self._asked
        if wanted and (wanted != asked or time.monotonic() >= at + ASK_SECONDS):
            await publish_missing(self._settings, self._program.title, wanted)
            self._asked = wanted, time.monotonic()

    async def _fetchval(self, statement: str, *given: object) -> object:
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                found: object = await connection.fetchval(statement, *given)
                return found


def step_work_reader(settings: DatabaseSettings) -> ScrapedRows:
    """What there is to do for each step, in the whole fleet."""
    return ScrapedRows(settings, queries()["list_step_work"], step_work_samples)


async def publish_missing(settings: Settings, title: str, wanted: Mapping[str, int]) -> None:
    """Bring each step's queue to so many tokens, over connections of its own: this happens rarely."""
    from windmill import broker
    from windmill.jobs.tokens import publish_tokens

    async with broker.connection(settings, title) as opened, broker.publisher(opened, settings) as publisher:
        await broker.declare_step_queues(opened, settings, wanted)
        ready = await broker.depths(opened, settings, wanted)
        await publish_tokens(publisher, settings, {step: number - ready[step] for step, number in wanted.items()})
