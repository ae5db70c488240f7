"""Broker sessions: when an outage counts as over, and how long the pauses between sessions become."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from tests.waiting import at_work, until
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.settings import Settings
from windmill.edge import broker_session
from windmill.edge.broker_session import OpenConsumer, consume
from windmill.edge.service_consumer import ServiceConsumer
from windmill.process.lifecycle import Program

SETTINGS = Settings.from_env({})
GONE = WindmillError("BROKER_UNAVAILABLE", "the consumer of clip was lost")


@dataclass
class Recorded(Outage):
    """Notes each pause that it asks for, and makes it short."""

    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__("the broker", dice=lambda: 0.5)

    def failed(self, error: Exception) -> float:
        self.pauses.append(super().failed(error))
        return 0.0


@dataclass
class Consumer:
    """Fails after it has settled so many deliveries, or runs until the program stops."""

    fails: bool
    settles: int = 0
    settled: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        for _ in range(self.settles):
            self.settled += 1
            await at_work(broker_session.TICK_SECONDS * 2)
        if self.fails:
            raise GONE
        await stop.wait()

    def wake(self) -> None:
        pass

    async def drained(self) -> None:
        pass


async def consumed(consumers: Sequence[Consumer], outage: Outage) -> None:
    """One session for each consumer; the program stops when there are no more."""
    program = Program("test", "test", SETTINGS, asyncio.Event())
    left = list(consumers)

    @contextlib.asynccontextmanager
    async def session(*_: object) -> AsyncIterator[list[ServiceConsumer]]:
        one = left.pop(0)
        yield [cast("ServiceConsumer", one)]

    def on_session() -> None:
        if not left:
            program.stop.set()

    states: list[ServiceState] = []
    async with asyncio.timeout(10):
        await consume(program, states, cast("OpenConsumer", None), outage, on_session, open_session=session)


async def test_the_pauses_grow_while_connecting_works_and_consuming_does_not() -> None:
    outage = Recorded()
    await consumed([Consumer(fails=True) for _ in range(5)] + [Consumer(fails=False)], outage)
    assert outage.pauses == [0.5, 1, 2, 4, 8]


async def test_an_outage_is_over_once_a_delivery_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_session, "TICK_SECONDS", 0.01)
    outage = Recorded()
    await consumed(
        [Consumer(fails=True), Consumer(fails=True, settles=1), Consumer(fails=True), Consumer(fails=False)], outage
    )
    assert outage.pauses == [0.5, 0.5, 1]


async def test_an_outage_is_over_once_a_session_has_lasted_although_there_were_no_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker_session, "PROVEN_SECONDS", 0.0)
    monkeypatch.setattr(broker_session, "TICK_SECONDS", 0.01)
    outage = Recorded()
    program = Program("test", "test", SETTINGS, asyncio.Event())
    sessions = [Consumer(fails=True), Consumer(fails=False)]

    @contextlib.asynccontextmanager
    async def session(*_: object) -> AsyncIterator[list[ServiceConsumer]]:
        yield [cast("ServiceConsumer", sessions.pop(0))]

    running = asyncio.create_task(
        consume(program, [], cast("OpenConsumer", None), outage, lambda: None, open_session=session)
    )
    await until(lambda: outage.ended, 10, "the end of the outage")
    program.stop.set()
    await asyncio.wait_for(running, 10)
    assert outage.pauses == [0.5]


async def test_a_first_session_is_ready_at_once() -> None:
    outage = Recorded()
    await consumed([Consumer(fails=False)], outage)
    assert outage.trouble is None
