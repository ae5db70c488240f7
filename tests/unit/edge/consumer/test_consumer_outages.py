"""The consumer of a service while the service or the database is away: breaker, probes and trial jobs."""

import asyncio

import pytest

from tests.unit.edge.consumer.consumer_scene import CLIP, FULL, SETTINGS, Bench, Queue, bench_of
from tests.unit.edge.delivery.delivery_scene import failing
from windmill.core.errors import Code
from windmill.core.messages import OUTAGES_HEADER


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
