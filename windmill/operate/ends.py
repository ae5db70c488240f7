"""Seeing that runs and batches have ended, and telling it once: to readers of the stream of events, and to webhooks.

Workers and post-processors write answers without a look at who asked for them, so somebody has to look whether all have
come. Any number of processes may: whoever is the first to note an end tells it."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.batches.asking import batches_without_end, read_batch
from windmill.operate.runs.outlook import RunRow
from windmill.operate.runs.reading import count_answers_on, runs_without_end
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

EndKind = Literal["run.succeeded", "run.cancelled", "batch.completed", "batch.cancelled"]
LOOK_SECONDS = 1.0
PAGE = 100
REST = 50.0
"""Whoever counts for a tenth of a second does so every five seconds."""
OF_AGE = 0.01
"""And what has gone on for a day is looked at every quarter of an hour."""

W = TypeVar("W")
Id = TypeVar("Id", bound=Hashable)


def rest_before_next_look(took: float, age: float) -> float:
    """Seconds until something is looked at again that goes on: so that counting costs little, however much there is to
    count, and what never ends costs ever less."""
    return max(LOOK_SECONDS, took * REST, age * OF_AGE)


@dataclass
class NextLooks(Generic[Id]):
    """When each thing that goes on was first seen, and when it is looked at again. Mutable."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[Id, float] = field(default_factory=dict)
    _due: dict[Id, float] = field(default_factory=dict)

    def resting(self) -> list[Id]:
        """What is not looked at now."""
        now = self.clock()
        return [one for one, due in self._due.items() if due > now]

    def note(self, one: Id, *, ended: bool, took: float) -> None:
        now = self.clock()
        if ended:
            self._seen.pop(one, None)
            self._due.pop(one, None)
            return
        self._due[one] = now + rest_before_next_look(took, now - self._seen.setdefault(one, now))


@dataclass(frozen=True)
class Endings(Generic[W, Id]):
    """Things of one kind: those without an end, the id of one, and noting its end if it has come."""

    without_end: Callable[[Connection, Sequence[Id], int], Awaitable[Sequence[W]]]
    id_of: Callable[[W], Id]
    end: Callable[[Connection, W], Awaitable[bool]]
    looks: NextLooks[Id] = field(default_factory=NextLooks)

    async def look(self, pool: Pool, settings: DatabaseSettings) -> None:
        async with transaction(pool, settings) as connection:
            found = await self.without_end(connection, self.looks.resting(), PAGE)
        for one in found:
            began = self.looks.clock()
            async with transaction(pool, settings) as connection:
                ended = await self.end(connection, one)
            self.looks.note(self.id_of(one), ended=ended, took=self.looks.clock() - began)


async def end_run(connection: Connection, run: RunRow) -> bool:
    """Whether all its answers have come, be they failures or not."""
    counted = (await count_answers_on(connection, run, run.jobs)).values()
    if sum(one.answered for one in counted) < run.jobs:
        return False
    await connection.execute(queries()["end_run"], run.run_id, sum(one.failed for one in counted))
    return True


async def end_batch(connection: Connection, batch_id: uuid.UUID) -> bool:
    """Whether all its items have ended, as jobs or as images."""
    batch = await read_batch(connection, batch_id, None)
    if batch.status not in ("completed", "cancelled"):
        return False
    failed = sum(batch.counts.get(one, 0) for one in ("failed", "expired"))
    rejected = batch.counts.get("rejected", 0)
    await connection.execute(queries()["end_batch_for_readers"], batch_id, failed, rejected)
    return True


class EndWatcher:
    """Looks every second, while anything has no end."""

    def __init__(self, pool: Pool, settings: DatabaseSettings) -> None:
        self._pool, self._settings = pool, settings
        self._runs = Endings(runs_without_end, lambda run: run.run_id, end_run)
        self._batches = Endings(batches_without_end, lambda batch_id: batch_id, end_batch)

    async def watch_for_ever(self) -> None:
        outage = Outage("the database")
        while True:
            wait = LOOK_SECONDS
            try:
                await self.look()
            except WindmillError as error:
                wait = outage.failed(error)
            else:
                outage.over()
            await asyncio.sleep(wait)

    async def look(self) -> None:
        """At all that is due."""
        await self._runs.look(self._pool, self._settings)
        await self._batches.look(self._pool, self._settings)
