"""Suspected jobs, the urgent queue beside the other, and a service that people pause."""

import asyncio

import pytest

from tests.unit.edge.consumer.consumer_scene import FULL, Bench
from tests.unit.edge.delivery.delivery_scene import failing
from tests.waiting import settled
from windmill.core.wanted_states import WantedState, WantedStates
from windmill.edge.service_consumer import (
    STALLED_SECONDS,
)


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
