"""Stopping a consumer in each of its states."""

import asyncio

from tests.unit.edge.consumer.consumer_scene import Bench, leaving_nothing_behind
from tests.unit.edge.delivery.delivery_scene import failing
from tests.waiting import settled


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
