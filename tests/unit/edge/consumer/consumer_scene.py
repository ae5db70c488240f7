"""A consumer on a bench: queues that hand out what a test says, and a simulated service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from tests.unit.world import World
from tests.waiting import settled
from windmill.broker import Consumer, Delivery, Publisher, ServiceConsumers
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.edge.service_consumer import (
    ServiceConsumer,
    prefetch,
)
from windmill.storage.result_writer import ResultWriter

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=2)
SETTINGS = Settings.from_env({"MAX_RETRIES": "3"})
FULL = prefetch(2, 0.1)
Take = Callable[[Delivery], Awaitable[None]]


@dataclass
class Queue:
    """A queue of the broker: records start and stop, delivers on demand, and may lose its consumer."""

    world: World
    events: list[str] = field(default_factory=list)
    is_lost: bool = False
    jobs: int = 0
    asked_depth: int = 0
    started: asyncio.Event = field(default_factory=asyncio.Event)
    take: Take | None = None

    async def start(self, take: Take, prefetch: int) -> None:
        self.events.append(f"start {prefetch}")
        self.take = take
        self.started.set()

    async def stop(self) -> None:
        self.started.clear()
        self.events.append("stop")

    def lost(self) -> bool:
        return self.is_lost

    async def depth(self) -> int:
        self.asked_depth += 1
        return self.jobs

    async def deliver(self, **headers: object) -> None:
        """Deliver one job as soon as there is a consumer, and return when it is settled."""
        await asyncio.wait_for(self.started.wait(), 1)
        await self.hand_out(**headers)

    async def hand_out(self, **headers: object) -> None:
        assert self.take
        await self.take(cast("Delivery", self.world.delivery(**headers)))


@dataclass
class Bench:
    """A running consumer with everything around it."""

    world: World
    queue: Queue
    state: ServiceState
    consumer: ServiceConsumer
    stop: asyncio.Event
    running: "asyncio.Task[None]"
    urgent: Queue

    async def settle(self) -> None:
        """Wait until the consumer is idle."""
        for _ in range(3):
            self.consumer.wake()
            await settled()

    async def later(self, seconds: float) -> None:
        self.world.clock.now += seconds
        await self.settle()

    async def end(self) -> None:
        self.stop.set()
        self.consumer.wake()
        await asyncio.wait_for(self.running, 0.5)

    async def raised(self) -> WindmillError:
        with pytest.raises(WindmillError) as raised:
            await asyncio.wait_for(self.running, 0.5)
        return raised.value


def bench_of(world: World, queue: Queue, state: ServiceState) -> Bench:
    urgent = Queue(world)
    consumptions = ServiceConsumers(cast("Consumer", queue), cast("Consumer", urgent))
    publisher, writer = cast("Publisher", world), cast("ResultWriter", world)
    stop = asyncio.Event()
    consumer = ServiceConsumer(
        state,
        SETTINGS,
        consumptions,
        publisher,
        world.handler(),
        writer,
        world.quarantine,
        world.losses,
        clock=world.clock,
    )
    consumer.processor.has_suspects = False  # as after the first job
    return Bench(world, queue, state, consumer, stop, asyncio.create_task(consumer.run(stop)), urgent)


@contextlib.asynccontextmanager
async def leaving_nothing_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await settled()
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
