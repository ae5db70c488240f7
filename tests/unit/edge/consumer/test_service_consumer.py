"""The consumer of a service: prefetch, and when it is lost or stalled."""

import asyncio

import pytest

from tests.unit.edge.consumer.consumer_scene import FULL, Bench
from tests.unit.edge.delivery.delivery_scene import failing
from tests.waiting import settled, until
from windmill.core.errors import WindmillError
from windmill.edge import service_consumer as consumer_module
from windmill.edge.service_consumer import (
    MAX_WAITING_FOR_COMMIT,
    STALLED_SECONDS,
    TYPICAL_COMMIT_SECONDS,
    prefetch,
    prefetch_needs_change,
)


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


async def test_a_cancelled_consumer_begins_no_further_job(bench: Bench) -> None:
    bench.running.cancel()
    await asyncio.gather(bench.running, return_exceptions=True)
    await bench.queue.hand_out()
    assert bench.world.events == ["back", "ack"]
