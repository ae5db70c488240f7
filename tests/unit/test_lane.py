"""One service's lane: when deliveries come, when they pause, and when the session is of no more use."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from tests.unit.world import World
from windmill.broker import Consumption, Delivery, Publisher
from windmill.errors import WindmillError
from windmill.results import ResultWriter
from windmill.services import load_fleet
from windmill.settings import ROOT, Settings
from workers.handler import Handler
from workers.lane import Lane, prefetch

POSE = load_fleet(ROOT / "service_config.json").services["pose"]
Take = Callable[[Delivery], Awaitable[None]]


@dataclass
class Queue:
    """A consumer that is started and stopped, hands out what it is told to, and may get lost."""

    world: World
    events: list[str] = field(default_factory=list)
    is_lost: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    take: Take | None = None

    async def start(self, take: Take, count: int) -> None:
        self.events.append(f"start {count}")
        self.take = take
        self.started.set()

    async def stop(self) -> None:
        self.events.append("stop")

    async def lost(self) -> bool:
        return self.is_lost

    async def deliver(self) -> None:
        await self.started.wait()
        assert self.take
        await self.take(cast("Delivery", self.world.delivery()))


@pytest.fixture
def world() -> World:
    made = World()
    made.gate.set()
    return made


@pytest.fixture
def queue(world: World) -> Queue:
    return Queue(world)


@pytest.fixture
def lane(world: World, queue: Queue) -> Lane:
    consumption, publisher, writer = cast("Consumption", queue), cast("Publisher", world), cast("ResultWriter", world)
    return Lane(
        POSE, Settings.from_env({}), consumption, publisher, Handler(world.read, world, 3), writer, asyncio.Semaphore(1)
    )


@pytest.mark.parametrize(("concurrency", "override", "held"), [(1, "0", 4), (4, "0", 10), (4, "1", 4), (1, "9", 20)])
def test_a_worker_holds_the_jobs_in_progress_and_as_many_again(concurrency: int, override: str, held: int) -> None:
    settings = Settings.from_env({"WORKER_CONCURRENCY": override})
    assert prefetch(replace(POSE, concurrency=concurrency), settings) == held


async def test_a_lane_consumes_until_told_to_stop(lane: Lane, queue: Queue, world: World) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(lane.run(stop))
    await queue.deliver()
    stop.set()
    lane.wake()
    await asyncio.wait_for(running, 0.5)
    assert queue.events == ["start 4", "stop"]
    assert world.events == ["call", "write", "ack"]
    await queue.deliver()
    assert world.events[3:] == ["hand back"], "what comes after the stop was not begun"


async def test_a_service_that_is_away_gets_no_deliveries_for_a_while_and_then_some_again(
    lane: Lane, queue: Queue, world: World
) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(lane.run(stop))
    world.call_error = WindmillError("SERVICE_UNREACHABLE", "refused")
    await queue.deliver()
    queue.started.clear()
    await asyncio.sleep(0.02)
    assert queue.events == ["start 4", "stop"]
    world.call_error = None
    await asyncio.wait_for(queue.deliver(), 3)
    assert world.events == ["call", "retry", "ack", "call", "write", "ack"]
    stop.set()
    lane.wake()
    await asyncio.wait_for(running, 1)
    assert queue.events == ["start 4", "stop", "start 4", "stop"]


async def test_stopping_ends_a_pause_at_once(lane: Lane, queue: Queue, world: World) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(lane.run(stop))
    world.call_error = WindmillError("SERVICE_UNREACHABLE", "refused")
    await queue.deliver()
    await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(running, 0.5)


async def test_a_consumer_that_is_lost_ends_the_session_and_what_waits_is_not_begun(
    lane: Lane, queue: Queue, world: World
) -> None:
    queue.is_lost = True
    running = asyncio.create_task(lane.run(asyncio.Event()))
    await queue.started.wait()
    lane.wake()
    with pytest.raises(WindmillError, match="the consumer of pose was lost") as lost:
        await asyncio.wait_for(running, 0.5)
    assert lost.value.code == "BROKER_UNAVAILABLE"
    await queue.deliver()
    assert world.events == ["hand back"]


async def test_a_publish_that_failed_ends_the_session(lane: Lane, queue: Queue, world: World) -> None:
    running = asyncio.create_task(lane.run(asyncio.Event()))
    world.call_error = WindmillError("SERVICE_ERROR", "500")
    world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await queue.deliver()
    with pytest.raises(WindmillError, match="no confirm"):
        await asyncio.wait_for(running, 0.5)
    assert world.events == ["call"], "neither acknowledged nor handed back"
