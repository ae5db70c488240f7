"""The consumer of a service: prefetch, pauses, and when it is lost or stalled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from tests.unit.world import World
from tests.waiting import settled, until
from windmill.broker import Consumer, Delivery, Publisher, ServiceConsumers
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError
from windmill.core.messages import OUTAGES_HEADER
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.core.wanted_states import WantedState, WantedStates
from windmill.edge import service_consumer as consumer_module
from windmill.edge.service_consumer import (
    MAX_WAITING_FOR_COMMIT,
    STALLED_SECONDS,
    TYPICAL_COMMIT_SECONDS,
    ServiceConsumer,
    prefetch,
    prefetch_needs_change,
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


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def bench(world: World) -> AsyncIterator[Bench]:
    async with leaving_nothing_behind():
        one = bench_of(world, Queue(world), world.state(CLIP, SETTINGS))
        await one.settle()
        yield one
        one.running.cancel()
        await asyncio.gather(one.running, return_exceptions=True)


def failing(code: Code, retry_after: float | None = None) -> WindmillError:
    return WindmillError(code, "because", retry_after=retry_after, reached=code != "SERVICE_UNREACHABLE")


@pytest.mark.parametrize(
    ("calls", "seconds", "held"),
    [
        (1, 60, 1 + 1 + 1),
        (4, 60, 4 + 1 + 1),
        (4, TYPICAL_COMMIT_SECONDS, 4 + 1 + 4),
        (4, TYPICAL_COMMIT_SECONDS / 10, 4 + 1 + 40),
        (4, 0, 4 + 1 + MAX_WAITING_FOR_COMMIT),
        (64, 0.001, 64 + 1 + MAX_WAITING_FOR_COMMIT),
    ],
)
def test_prefetch_fills_batches_of_fast_services_and_is_small_for_slow_ones(
    calls: int, seconds: float, held: int
) -> None:
    assert prefetch(calls, seconds) == held


@pytest.mark.parametrize(
    ("held", "wanted", "worth"),
    [
        (0, 0, False),
        (0, 1, True),
        (1, 0, True),
        (1, 1, False),
        (1, 2, True),
        (50, 1, True),
        (50, 0, True),
        (0, 50, True),
        (4, 5, False),
        (4, 3, False),
        (4, 6, True),
        (4, 2, True),
        (100, 134, False),
        (100, 135, True),
        (100, 75, False),
        (100, 74, True),
    ],
)
def test_prefetch_changes_only_if_the_number_differs_enough(held: int, wanted: int, worth: bool) -> None:
    assert prefetch_needs_change(held, wanted) is worth


async def test_a_consumer_consumes_until_told_to_stop(bench: Bench) -> None:
    await bench.queue.deliver()
    await bench.end()
    assert bench.queue.events == ["stop", f"start {FULL}", "stop"]
    assert bench.world.events == ["call", "write", "ack"]
    await bench.queue.hand_out()
    assert bench.world.events[3:] == ["back", "ack"], "what comes after the stop was not begun"


async def test_prefetch_grows_when_calls_are_fast(bench: Bench) -> None:
    for _ in range(500):
        bench.state.answered(bench.world.clock.now - 0.001, 1, first_try=True)
    await bench.settle()
    assert bench.queue.events == ["stop", f"start {FULL}", "stop", f"start {prefetch(2, bench.state.call_seconds)}"]


async def test_an_outage_goes_through_open_and_half_open_to_closed(bench: Bench) -> None:
    bench.world.call_error = bench.world.canary_error = failing("SERVICE_UNREACHABLE")
    await bench.queue.deliver()
    await bench.settle()
    assert (bench.queue.events, bench.state.breaker.state) == (["stop", f"start {FULL}", "stop"], "open")
    assert bench.world.events == ["call", "back", "ack"], "the question waits for its time"

    await bench.later(1.3)
    assert bench.world.events[3:] == ["canary"]
    assert bench.state.breaker.state == "open"
    assert 0 < bench.state.breaker.seconds_left() < 0.4, "a connection that is refused is soon tried again"

    bench.world.call_error = bench.world.canary_error = None
    await bench.later(2.5)
    assert bench.world.events[4:] == ["canary"]
    assert (bench.state.breaker.state, bench.queue.events[3:]) == ("half-open", ["stop", "start 1"])

    await bench.queue.deliver()
    await bench.settle()
    assert (bench.state.breaker.state, bench.queue.events[5:]) == ("closed", ["stop", f"start {FULL}"])
    await bench.end()


async def test_another_outage_while_half_open_doubles_the_wait(bench: Bench) -> None:
    bench.world.call_error = failing("SERVICE_OVERLOADED")
    for wait in (1, 2, 4, 8):
        bench.world.canary_error = bench.world.call_error
        await bench.queue.deliver()
        await bench.settle()
        bench.world.canary_error = None
        assert bench.state.breaker.state == "open"
        assert 0.8 * wait <= bench.state.breaker.seconds_left() <= 1.2 * wait
        assert not bench.queue.started.is_set()
        await bench.later(1.2 * wait + 0.01)
        assert bench.queue.events[-1] == "start 1"
    assert (bench.world.events.count("call"), bench.world.events.count("canary")) == (4, 8)


async def test_the_service_is_not_probed_before_its_retry_after(bench: Bench) -> None:
    bench.world.call_error = bench.world.canary_error = failing("SERVICE_OVERLOADED", retry_after=300)
    await bench.queue.deliver()
    assert bench.world.events == ["call", "canary", "back", "ack"], "that finds out whom it was meant for"
    await bench.later(299)
    assert bench.world.events.count("canary") == 1
    await bench.later(1.1)
    assert bench.world.events.count("canary") == 2


async def test_a_job_that_causes_an_outage_each_time_is_finally_parked(bench: Bench) -> None:
    headers: dict[str, object] = {}
    for outages in range(1, 10):
        bench.world.call_error = bench.world.canary_error = failing("SERVICE_TIMEOUT")
        await bench.queue.deliver(**headers)
        assert bench.world.sent[-1][0] == "back"
        headers = dict(bench.world.sent[-1][3])
        assert headers == {OUTAGES_HEADER: outages}
        bench.world.canary_error = None
        await bench.later(40)
        assert bench.state.breaker.state == "half-open"
        bench.world.clock.now += 1
    bench.world.call_error = bench.world.canary_error = failing("SERVICE_TIMEOUT")
    await bench.queue.deliver(**headers)
    assert (bench.world.sent[-1][0], bench.world.sent[-1][3]["windmill-code"]) == ("park", "SERVICE_TIMEOUT")
    assert bench.state.breaker.state == "open"


@pytest.mark.parametrize(
    ("to_the_picture", "state"),
    [(None, "half-open"), ("SERVICE_REJECTED", "half-open"), ("SERVICE_ERROR", "open"), ("SERVICE_TIMEOUT", "open")],
)
async def test_the_reply_to_a_probe_decides_whether_a_trial_job_runs(
    bench: Bench, to_the_picture: Code | None, state: str
) -> None:
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    bench.world.canary_error = failing(to_the_picture) if to_the_picture else None
    await bench.later(1.3)
    assert bench.state.breaker.state == state


async def test_a_slow_probe_is_sent_once(bench: Bench) -> None:
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    bench.world.canary_gate.clear()
    for _ in range(5):
        await bench.later(5)
    assert bench.world.events == ["canary"]
    assert bench.state.slots.taken == 1, "it is one of the calls that the service bears"
    bench.world.canary_gate.set()
    await bench.settle()
    assert (bench.state.breaker.state, bench.state.slots.taken) == ("half-open", 0)


async def test_a_probe_waits_for_hanging_calls_and_no_waiting_job_begins(bench: Bench) -> None:
    bench.world.gate.clear()
    takes = [asyncio.create_task(bench.queue.deliver()) for _ in range(5)]
    await bench.settle()
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.later(1.3)
    assert bench.world.events == [], "both calls hang"
    bench.world.gate.set()
    await asyncio.gather(*takes)
    await bench.settle()
    assert bench.world.events.count("call") == 2, "late answers"
    assert bench.world.events.count("back") == 3
    assert bench.world.events[-1] == "canary"
    assert bench.state.breaker.state == "half-open"


async def test_jobs_that_wait_for_a_slot_when_the_breaker_opens_are_requeued(bench: Bench) -> None:
    bench.world.gate.clear()
    bench.world.call_error = failing("SERVICE_UNREACHABLE")
    takes = [asyncio.create_task(bench.queue.deliver()) for _ in range(10)]
    await bench.settle()
    bench.world.gate.set()
    await asyncio.gather(*takes)
    assert bench.world.events.count("call") == 2
    assert bench.world.events.count("back") == bench.world.events.count("ack") == 10


async def test_while_the_database_is_away_nothing_is_consumed(bench: Bench) -> None:
    bench.world.away = True
    await bench.settle()
    assert bench.queue.events == ["stop", f"start {FULL}", "stop"]
    await bench.later(100)
    assert bench.queue.asked_depth == 0, "and nothing is missed"
    bench.world.away = False
    await bench.settle()
    assert bench.queue.events[3:] == ["stop", f"start {FULL}"]


async def test_a_database_outage_during_a_trial_job_is_waited_for(bench: Bench) -> None:
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.later(1.3)
    assert bench.queue.events[-1] == "start 1"
    bench.world.away = True
    await bench.settle()
    assert not bench.queue.started.is_set()
    await bench.queue.hand_out()
    assert bench.state.breaker.state == "closed", "the job that was under way is done, and says what it says"
    await bench.settle()
    assert not bench.queue.started.is_set()
    bench.world.away = False
    await bench.settle()
    assert bench.queue.events[-1] == f"start {FULL}"


async def test_a_change_is_noticed_by_polling(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "CHECK_SECONDS", 0.01)
    bench.consumer.wake()
    await settled()
    bench.world.away = True
    await until(lambda: bench.queue.events[-1] == "stop")
    assert bench.queue.events[-1] == "stop"


async def test_jobs_that_wait_while_an_idle_consumer_gets_none_end_the_session(bench: Bench) -> None:
    bench.queue.jobs = 7
    await bench.later(STALLED_SECONDS - 0.1)
    assert not bench.running.done()
    await bench.later(0.2)
    raised = await bench.raised()
    assert raised.code == "BROKER_UNAVAILABLE"
    assert "clip has jobs, but none was delivered" in raised.message


async def test_an_empty_queue_is_checked_rarely_and_keeps_the_session(bench: Bench) -> None:
    for _ in range(10):
        await bench.later(STALLED_SECONDS / 3 + 0.1)
    assert 2 <= bench.queue.asked_depth <= 4
    assert not bench.running.done()


async def test_a_consumer_with_deliveries_or_running_jobs_is_not_stalled(bench: Bench) -> None:
    bench.queue.jobs = 7
    for _ in range(4):
        await bench.later(STALLED_SECONDS - 1)
        await bench.queue.deliver()
    bench.world.gate.clear()
    hangs = asyncio.create_task(bench.queue.deliver())
    await bench.settle()
    for _ in range(4):
        await bench.later(STALLED_SECONDS + 1)
    assert bench.queue.asked_depth == 0
    bench.world.gate.set()
    await hangs


async def test_an_outage_does_not_count_as_a_stall(bench: Bench) -> None:
    bench.queue.jobs = 7
    bench.world.canary_error = failing("SERVICE_UNREACHABLE")
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.settle()
    for _ in range(5):
        await bench.later(STALLED_SECONDS + 1)
    bench.world.canary_error = None
    await bench.later(STALLED_SECONDS + 10)
    await bench.later(STALLED_SECONDS - 1)
    assert not bench.running.done()
    assert bench.queue.asked_depth == 0


async def test_stopping_ends_a_pause_at_once(bench: Bench) -> None:
    bench.world.call_error = failing("SERVICE_UNREACHABLE")
    await bench.queue.deliver()
    await bench.settle()
    await bench.end()


async def test_stopping_during_a_probe_cancels_it(bench: Bench) -> None:
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    bench.world.canary_gate.clear()
    await bench.later(1.3)
    assert bench.world.events == ["canary"]
    async with leaving_nothing_behind():
        await bench.end()
    assert (bench.state.slots.taken, bench.state.breaker.state) == (0, "open")


async def test_stopping_while_a_probe_waits_for_a_slot_cancels_it(bench: Bench) -> None:
    bench.world.gate.clear()
    takes = [asyncio.create_task(bench.queue.deliver()) for _ in range(2)]
    await bench.settle()
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.later(1.3)
    await bench.end()
    bench.world.gate.set()
    await asyncio.gather(*takes)
    await settled()
    assert "canary" not in bench.world.events
    assert bench.state.slots.taken == 0


async def test_stopping_during_a_trial_job_finishes_it(bench: Bench) -> None:
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.later(1.3)
    bench.world.gate.clear()
    trying = asyncio.create_task(bench.queue.deliver())
    await bench.settle()
    await bench.end()
    drained = asyncio.create_task(bench.consumer.processor.drained())
    await settled()
    assert not drained.done()
    bench.world.gate.set()
    await asyncio.wait_for(asyncio.gather(trying, drained), 0.5)
    assert bench.world.events == ["canary", "call", "write", "ack"]
    assert bench.state.breaker.state == "closed"


async def test_a_lost_consumer_ends_the_session_and_no_waiting_job_begins(bench: Bench) -> None:
    bench.queue.is_lost = True
    bench.consumer.wake()
    raised = await bench.raised()
    assert (raised.code, raised.message) == ("BROKER_UNAVAILABLE", "the consumer of clip was lost")
    await bench.queue.hand_out()
    assert bench.world.events == ["back", "ack"]


async def test_a_publish_that_failed_ends_the_session(bench: Bench) -> None:
    bench.world.call_error = failing("SERVICE_ERROR")
    bench.world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await bench.queue.deliver()
    assert await bench.raised() is bench.world.send_error
    assert bench.world.events == ["call", "canary"], "neither acknowledged nor handed back"


@pytest.mark.parametrize("state", ["open", "half-open"])
async def test_an_open_breaker_outlasts_the_session(bench: Bench, state: str) -> None:
    bench.world.canary_error = failing("SERVICE_UNREACHABLE")
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.settle()
    if state == "half-open":
        bench.state.breaker.half_open()
        await bench.settle()
    bench.queue.is_lost = True
    bench.consumer.wake()
    await bench.raised()
    following = bench_of(bench.world, Queue(bench.world), bench.state)
    await following.settle()
    if state == "open":
        assert following.queue.events == []
        bench.world.canary_error = None
        await following.later(1.3)
    assert following.queue.events == ["stop", "start 1"]
    await following.queue.deliver()
    await following.settle()
    assert following.queue.events[2:] == ["stop", f"start {FULL}"]
    await following.end()


async def test_calls_of_a_lost_session_that_still_hang_are_counted_with_those_of_the_next(bench: Bench) -> None:
    bench.world.gate.clear()
    old = [asyncio.create_task(bench.queue.deliver()) for _ in range(3)]
    await bench.settle()
    bench.queue.is_lost = True
    bench.consumer.wake()
    await bench.raised()
    following = bench_of(bench.world, Queue(bench.world), bench.state)
    await following.settle()
    new = [asyncio.create_task(following.queue.deliver()) for _ in range(2)]
    await following.settle()
    assert bench.world.calling == 2
    bench.world.gate.set()
    await asyncio.gather(*old, *new)
    assert bench.world.most_calling == 2
    await following.end()


async def test_the_outage_of_one_service_leaves_the_consumer_of_another_running(bench: Bench) -> None:
    other = bench_of(bench.world, Queue(bench.world), bench.world.state(CLIP, SETTINGS))
    await other.settle()
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.settle()
    await other.settle()
    assert not bench.queue.started.is_set()
    assert other.queue.started.is_set()
    await other.queue.deliver()
    assert bench.world.events == ["call", "write", "ack"]
    await other.end()


async def test_a_cancelled_consumer_begins_no_further_job(bench: Bench) -> None:
    bench.running.cancel()
    await asyncio.gather(bench.running, return_exceptions=True)
    await bench.queue.hand_out()
    assert bench.world.events == ["back", "ack"]


async def test_a_consumer_starts_with_prefetch_1_until_a_job_is_no_suspect(bench: Bench) -> None:
    bench.consumer.processor.has_suspects = True
    await bench.settle()
    assert bench.queue.events[-1] == "start 1"
    await bench.queue.hand_out(**{"x-delivery-count": 2})
    await bench.settle()
    assert bench.queue.events[-1] == "start 1", "and all that a worker holds would be lost with it"
    await bench.queue.hand_out(**{"x-delivery-count": 1})
    await bench.settle()
    assert bench.queue.events[-1].startswith("start ")
    assert bench.queue.events[-1] != "start 1"


async def test_a_suspected_poison_job_is_held_alone(bench: Bench) -> None:
    await bench.settle()
    await bench.queue.hand_out(**{"x-delivery-count": 5})
    await bench.settle()
    assert bench.queue.events[-2:] == ["stop", "start 1"]


async def test_the_urgent_queue_has_its_own_prefetch_and_is_paused_with_the_other(bench: Bench) -> None:
    await bench.urgent.deliver()
    await bench.settle()
    assert bench.urgent.events == ["stop", "start 1", "stop", f"start {FULL}"], "full once a job is no suspect"
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    bench.world.canary_error = failing("SERVICE_UNREACHABLE")
    await bench.settle()
    assert (bench.urgent.events[-1], bench.queue.events[-1]) == ("stop", "stop")


async def test_an_outage_that_an_urgent_job_finds_stops_the_other_queue_at_once(bench: Bench) -> None:
    bench.world.call_error = bench.world.canary_error = failing("SERVICE_UNREACHABLE")
    await bench.urgent.deliver()
    await settled()
    assert (bench.urgent.events[-1], bench.queue.events[-1]) == ("stop", "stop")


@pytest.mark.parametrize("lane", ["ordinary", "urgent"])
async def test_a_consumer_of_either_queue_that_is_lost_or_stalled_ends_the_session(bench: Bench, lane: str) -> None:
    queue = bench.urgent if lane == "urgent" else bench.queue
    queue.jobs = 7
    await bench.later(STALLED_SECONDS + 0.1)
    assert "none was delivered" in (await bench.raised()).message


async def test_a_lost_urgent_consumer_ends_the_session(bench: Bench) -> None:
    bench.urgent.is_lost = True
    bench.consumer.wake()
    assert (await bench.raised()).message == "the consumer of clip was lost"


async def test_a_suspect_of_the_urgent_queue_runs_while_nothing_of_the_other_is_taken(bench: Bench) -> None:
    bench.world.gate.clear()
    await bench.settle()
    assert bench.queue.started.is_set()
    running = asyncio.create_task(bench.urgent.hand_out(**{"x-delivery-count": 5}))
    await bench.settle()
    assert not bench.queue.started.is_set()
    bench.world.gate.set()
    await running
    assert bench.world.events == ["call", "write", "ack"]


async def test_a_paused_service_finishes_what_it_holds_takes_nothing_else_and_asks_the_service_nothing(
    bench: Bench,
) -> None:
    bench.world.gate.clear()
    held = asyncio.create_task(bench.queue.deliver())
    await bench.settle()
    bench.state.want(WantedStates.of([WantedState("clip", paused=True)]))
    await bench.later(60)
    assert bench.queue.events[-1] == "stop"
    bench.world.gate.set()
    await held
    assert bench.world.events == ["call", "write", "ack"]
    bench.state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    await bench.later(60)
    assert "canary" not in bench.world.events
    bench.state.want(WantedStates())
    await bench.later(60)
    assert "canary" in bench.world.events
    assert bench.queue.events[-1].startswith("start")
