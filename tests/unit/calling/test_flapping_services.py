"""Services that are away and back: when they get jobs again, and who asks them."""

import asyncio

import pytest

from tests.unit.calling.service_states import CLIP, SAID_500, SETTINGS, failing
from tests.unit.world import Clock, World
from tests.waiting import settled
from windmill.calling.repeated_probe import PROBE_TRIES
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Unavailable
from windmill.core.services import Service

SAID_400 = WindmillError("SERVICE_REJECTED", "400")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock(world: World) -> Clock:
    return world.clock


@pytest.fixture
def state(world: World) -> ServiceState:
    return world.state(CLIP, SETTINGS)


REFUSED = WindmillError("SERVICE_UNREACHABLE", "refused", reached=False)


async def flap(world: World, state: ServiceState) -> None:
    """Away, back for one probe, and away again."""
    state.update_breaker(Unavailable(REFUSED))
    world.canary_error = None
    assert await state.probe_for_recovery() is None
    state.half_open()
    state.update_breaker(Unavailable(REFUSED))
    world.events.clear()


async def test_a_service_that_flaps_gets_jobs_as_soon_as_it_takes_a_connection(world: World, clock: Clock) -> None:
    connections: list[WindmillError | None] = [REFUSED, None]

    async def connect(_: Service) -> None:
        if error := connections.pop(0):
            raise error

    state = ServiceState(CLIP, SETTINGS, world.canary, connect=connect, clock=clock)
    await flap(world, state)
    assert [await state.probe_for_recovery(), await state.probe_for_recovery()] == [REFUSED, None]
    assert world.events == []
    state.half_open()
    state.update_breaker(Unavailable(REFUSED))
    assert await state.probe_for_recovery() is None
    assert world.events == ["canary"], "it took a connection and answered nothing, so it has to answer our picture"


async def test_a_service_that_is_ill_in_another_way_has_to_answer_a_probe(world: World, clock: Clock) -> None:
    async def connect(_: Service) -> None:
        raise AssertionError("that says nothing")

    state = ServiceState(CLIP, SETTINGS, world.canary, connect=connect, clock=clock)
    await flap(world, state)
    state.breaker.prolong(failing("SERVICE_TIMEOUT"))
    assert await state.probe_for_recovery() is None
    assert world.events == ["canary"]


async def test_calls_that_still_hang_when_the_service_is_back_take_no_new_one_its_place(
    state: ServiceState, clock: Clock
) -> None:
    full = state.slots.size
    async with state.slots, state.slots:
        state.update_breaker(Unavailable(REFUSED))
        assert state.slots.size == full, "nothing begins meanwhile, and the probe needs a place"
        state.half_open()
        assert state.slots.size == min(3, full)
    for _ in range(full):
        state.answered(clock.now, 1, first_try=True)
    assert state.slots.size == full


async def test_one_question_is_asked_for_all_jobs_that_doubt_at_once(world: World, state: ServiceState) -> None:
    world.canary_gate.clear()
    world.canary_error = failing("SERVICE_TIMEOUT")
    doubts = [asyncio.create_task(state.find_outage(SAID_500)) for _ in range(10)]
    await settled()
    world.canary_gate.set()
    assert await asyncio.gather(*doubts) == [world.canary_error] * 10
    assert world.events == ["canary"]
    await state.find_outage(SAID_500)
    assert world.events == ["canary"] * 2, "and the next time it is asked anew"


async def test_one_answer_serves_a_job_that_was_refused_and_one_that_failed(world: World, state: ServiceState) -> None:
    world.canary_gate.clear()
    world.canary_error = SAID_400
    errors = [SAID_400, SAID_500]
    doubts = [asyncio.create_task(state.find_outage(error)) for error in errors]
    await settled()
    world.canary_gate.set()
    assert await asyncio.gather(*doubts) == [SAID_400, None]
    assert world.events == ["canary"]


async def test_a_job_that_is_cancelled_takes_the_question_from_nobody_else(world: World, state: ServiceState) -> None:
    world.canary_gate.clear()
    first, second = (asyncio.create_task(state.find_outage(SAID_500)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    world.canary_gate.set()
    assert await second is None
    assert first.cancelled()
    assert world.events == ["canary"]


async def test_nothing_is_left_of_a_question_that_nobody_waits_for(world: World, state: ServiceState) -> None:
    before = asyncio.all_tasks()
    world.canary_gate.clear()
    doubts = [asyncio.create_task(state.find_outage(SAID_500)) for _ in range(3)]
    await settled()
    for doubt in doubts:
        doubt.cancel()
    await asyncio.gather(*doubts, return_exceptions=True)
    await settled()
    assert asyncio.all_tasks() == before


async def test_who_asks_just_as_all_others_are_cancelled_is_answered(world: World, state: ServiceState) -> None:
    world.canary_gate.clear()
    doubts = [asyncio.create_task(state.find_outage(SAID_500)) for _ in range(3)]
    await settled()
    for doubt in doubts:
        doubt.cancel()
    late = asyncio.create_task(state.find_outage(SAID_500))
    await settled()
    world.canary_gate.set()
    assert await late is None
    await asyncio.gather(*doubts, return_exceptions=True)


async def test_a_fault_of_ours_in_asking_proves_nothing_good(world: World, state: ServiceState) -> None:
    world.canary_errors = [ZeroDivisionError("oops") for _ in range(PROBE_TRIES)]
    met = await state.find_outage(SAID_500)
    assert met
    assert "ZeroDivisionError" in met.message
    assert world.events == ["canary"] * PROBE_TRIES
    assert await state.find_outage(SAID_500) is None, "and the next question is a new one"
