"""What a process knows of a service: proof that it is well, patience, and the number of calls at a time."""

import asyncio
from dataclasses import replace

import pytest

from tests.unit.calling.service_states import CLIP, SAID_500, SETTINGS, failing
from tests.unit.world import Clock, World
from tests.waiting import settled
from windmill.calling.repeated_probe import PROBE_TRIES
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code
from windmill.core.setting_parsers import Concurrency
from windmill.core.settings import Settings
from windmill.core.wanted_states import WantedState, WantedStates


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock(world: World) -> Clock:
    return world.clock


@pytest.fixture
def state(world: World) -> ServiceState:
    return world.state(CLIP, SETTINGS)


async def test_a_service_that_answers_another_job_that_is_under_way_is_well_without_being_asked(
    world: World, clock: Clock, state: ServiceState
) -> None:
    world.canary_error = failing("SERVICE_UNREACHABLE")
    async with state.slots, state.slots:
        doubting = asyncio.create_task(state.find_outage(SAID_500))
        await settled()
        state.answered(clock.now, 2, first_try=True)
        assert await doubting is None
    assert world.events == []


async def test_another_job_that_is_not_answered_soon_proves_nothing(world: World, state: ServiceState) -> None:
    world.canary_error = failing("SERVICE_UNREACHABLE")
    async with state.slots, state.slots:
        assert await state.find_outage(SAID_500) is world.canary_error


async def test_when_all_calls_under_way_have_failed_no_time_is_lost_with_waiting_for_an_answer(
    world: World, state: ServiceState
) -> None:
    world.canary_gate.clear()
    world.canary_error = failing("SERVICE_UNREACHABLE")
    async with state.slots, state.slots:
        first = asyncio.create_task(state.find_outage(SAID_500))
        await settled()
        assert world.events == [], "the other may be answered still"
        second = asyncio.create_task(state.find_outage(SAID_500))
        await settled()
        assert world.events == ["canary"]
        world.canary_gate.set()
        assert [await first, await second] == [world.canary_error] * 2


async def test_an_answer_from_before_the_failure_proves_nothing(
    world: World, clock: Clock, state: ServiceState
) -> None:
    state.answered(clock.now, 2, first_try=True)
    clock.now += 1
    world.canary_error = failing("SERVICE_UNREACHABLE")
    async with state.slots, state.slots:
        assert await state.find_outage(SAID_500) is world.canary_error


async def test_what_was_asked_before_the_failure_and_answered_after_it_proves_nothing(
    world: World, clock: Clock, state: ServiceState
) -> None:
    """A service that dies with several calls in hand may still finish one of them."""
    world.canary_error = failing("SERVICE_UNREACHABLE")
    began = clock.now
    clock.now += 1
    async with state.slots, state.slots:
        doubting = asyncio.create_task(state.find_outage(SAID_500))
        await settled()
        state.answered(began, 2, first_try=True)
        assert await doubting is world.canary_error


async def test_a_late_answer_to_an_old_call_does_not_hide_the_answer_to_a_new_one(
    world: World, clock: Clock, state: ServiceState
) -> None:
    world.canary_error = failing("SERVICE_UNREACHABLE")
    began = clock.now
    clock.now += 1
    async with state.slots, state.slots:
        doubting = asyncio.create_task(state.find_outage(SAID_500))
        await settled()
        for moment in (began, clock.now, began):
            state.answered(moment, 2, first_try=True)
            await settled()
        assert await doubting is None
    assert world.events == []


@pytest.mark.parametrize("code", ["SERVICE_ERROR", "BAD_RESPONSE"])
@pytest.mark.parametrize("moments", range(PROBE_TRIES + 1))
async def test_a_few_bad_moments_are_forgiven(world: World, state: ServiceState, code: Code, moments: int) -> None:
    world.canary_errors = [failing(code) for _ in range(moments)]
    last = world.canary_errors[-1] if moments else None
    met = await state.probe()
    assert met is (last if moments == PROBE_TRIES else None)
    assert world.events == ["canary"] * min(moments + 1, PROBE_TRIES)


@pytest.mark.parametrize("code", ["SERVICE_UNREACHABLE", "SERVICE_OVERLOADED", "SERVICE_TIMEOUT", "SERVICE_REJECTED"])
async def test_what_asking_again_does_not_mend_is_asked_once(world: World, state: ServiceState, code: Code) -> None:
    world.canary_error = failing(code)
    assert await state.probe() is world.canary_error
    assert world.events == ["canary"]


@pytest.mark.parametrize(
    ("error", "to_the_picture", "well"),
    [
        ("SERVICE_ERROR", None, True),
        ("SERVICE_REJECTED", None, True),
        ("SERVICE_ERROR", "SERVICE_REJECTED", True),
        ("SERVICE_TIMEOUT", "SERVICE_REJECTED", True),
        ("BAD_RESPONSE", "SERVICE_REJECTED", True),
        ("SERVICE_REJECTED", "SERVICE_REJECTED", False),
        ("SERVICE_REJECTED", "SERVICE_ERROR", False),
        ("SERVICE_ERROR", "SERVICE_ERROR", False),
        ("SERVICE_ERROR", "SERVICE_TIMEOUT", False),
        ("SERVICE_TIMEOUT", "SERVICE_TIMEOUT", False),
        ("BAD_RESPONSE", "SERVICE_UNREACHABLE", False),
        ("BAD_RESPONSE", "BAD_RESPONSE", False),
    ],
)
async def test_whether_the_service_is_in_doubt_after_what_it_says_to_a_good_picture(
    world: World, state: ServiceState, error: Code, to_the_picture: Code | None, well: bool
) -> None:
    world.canary_error = failing(to_the_picture) if to_the_picture else None
    met = await state.find_outage(failing(error))
    assert met is (None if well else world.canary_error)


def test_many_first_tries_that_fail_give_each_job_more_tries(world: World, state: ServiceState, clock: Clock) -> None:
    assert state.tries(0) == 4
    for _ in range(200):
        state.failed(first_try=False)
    assert state.tries(0) == 4, "a bad job that comes again says nothing new"
    for _ in range(200):
        state.failed(first_try=True)
        state.answered(clock.now, 1, first_try=True)
        state.answered(clock.now, 1, first_try=False)
    assert state.tries(0) > 15


@pytest.mark.parametrize(
    ("configured", "override", "slots"), [(3, "0", 3), (3, "7", 7), ("auto", "5", 5), (3, "auto", 2), ("auto", "0", 2)]
)
def test_the_setting_goes_before_the_service_in_how_many_calls_there_are_at_a_time(
    world: World, configured: int, override: str, slots: int
) -> None:
    state = world.state(replace(CLIP, concurrency=configured), Settings.from_env({"WORKER_CONCURRENCY": override}))
    assert state.slots.size == slots


def test_a_fixed_number_of_calls_stays_whatever_the_service_does(
    world: World, state: ServiceState, clock: Clock
) -> None:
    before = state.slots.size
    for _ in range(100):
        state.overloaded()
        state.answered(clock.now - 10, before, first_try=True)
    assert state.slots.size == before


async def test_an_automatic_number_falls_at_once_when_it_is_too_much(world: World, clock: Clock) -> None:
    state = world.state(CLIP, Settings.from_env({"WORKER_CONCURRENCY": "auto"}))
    for _ in range(5000):
        state.answered(clock.now - 0.1, state.slots.size, first_try=True)
    grown = state.slots.size
    assert grown > 8
    state.overloaded()
    assert state.slots.size == grown // 2


def test_how_long_a_call_takes_follows_the_answers(clock: Clock, state: ServiceState) -> None:
    for _ in range(500):
        state.answered(clock.now - 2, 1, first_try=True)
    assert state.call_seconds == pytest.approx(2, rel=0.01)


def test_a_job_gets_the_tries_that_it_was_promised(state: ServiceState) -> None:
    assert (state.tries(3), state.tries(12)) == (4, 12)


@pytest.mark.parametrize(("configured", "most", "calls"), [("auto", None, 7), (4, None, 7), (4, 3, 3)])
def test_so_many_calls_are_made_at_once_as_people_want_and_as_the_fleet_may(
    configured: Concurrency, most: int | None, calls: int, world: World
) -> None:
    state = world.state(replace(CLIP, concurrency=configured, fleet_concurrency=most), SETTINGS)
    usual = state.slots.size
    state.want(WantedStates.of([WantedState("clip", concurrency=7)]))
    assert (state.slots.size, state.adapts_concurrency, state.paused) == (calls, False, False)
    state.want(WantedStates())
    assert (state.slots.size, state.adapts_concurrency) == (usual, configured == "auto" and most is None)
