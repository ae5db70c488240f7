"""Slots that all processes of the fleet share: no two calls at once, whatever becomes of a process."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.fake_slot_table import FakeSlotTable
from tests.unit.world import Clock
from tests.waiting import settled, until
from windmill.calling.fleet_slots import TURN_SECONDS, FleetSlots, fleet_slots
from windmill.core.errors import Code, WindmillError
from windmill.core.service_urls import ServiceUrl
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings

POSE = load_fleet(ROOT / "service_config.json").services["pose"]
CALL_SECONDS = 5.0
LEASE_SECONDS = TURN_SECONDS + 2 * CALL_SECONDS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(clock: Clock) -> FakeSlotTable:
    return FakeSlotTable(clock)


@pytest.fixture
def process(clock: Clock, table: FakeSlotTable) -> Callable[[], FleetSlots]:
    return lambda: FleetSlots(POSE, 1, CALL_SECONDS, table, clock=clock)


async def call(slots: FleetSlots, code: Code | None = None) -> None:
    async with slots.slot():
        if code:
            raise WindmillError(code, "because")


async def timed_out(slots: FleetSlots) -> None:
    with pytest.raises(WindmillError):
        await call(slots, "SERVICE_TIMEOUT")


async def waits(waiting: "asyncio.Task[None]", table: FakeSlotTable) -> None:
    """It asks again and again, and gets nothing."""
    asked = len(table.asked)
    await until(lambda: len(table.asked) >= asked + 3)
    assert not waiting.done()


async def test_calls_in_a_row_cost_one_statement(process: Callable[[], FleetSlots], table: FakeSlotTable) -> None:
    slots = process()
    for _ in range(100):
        await call(slots)
    assert table.asked == ["create", "take"]


async def test_a_lease_without_calls_is_freed(process: Callable[[], FleetSlots], table: FakeSlotTable) -> None:
    slots = process()
    await call(slots)
    await until(lambda: table.asked[-1] == "free")
    await call(process())
    assert table.asked[2:] == ["free", "create", "take"]


async def test_two_processes_never_call_at_once(process: Callable[[], FleetSlots], table: FakeSlotTable) -> None:
    first, second = process(), process()
    async with first.slot():
        waiting = asyncio.create_task(call(second))
        await waits(waiting, table)
    await waiting


async def test_whoever_waits_has_the_next_turn(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    """Also when the first process has call after call."""
    first, second = process(), process()
    async with first.slot():
        waiting = asyncio.create_task(call(second))
        await waits(waiting, table)
        clock.now += TURN_SECONDS
    again = asyncio.create_task(call(first))
    await waiting
    await again


async def test_a_process_with_many_calls_lets_others_have_their_turn(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    """However many of its calls wait, it is not the next one while it holds the slot."""
    busy, other, order = process(), process(), []

    async def noted(slots: FleetSlots, name: str) -> None:
        async with slots.slot():
            order.append(name)

    async with busy.slot():
        calls = [asyncio.create_task(noted(busy, "busy")) for _ in range(20)]
        asked = len(table.asked)
        await until(lambda: len(table.asked) >= asked + 3)
        waiting = asyncio.create_task(noted(other, "other"))
        clock.now += TURN_SECONDS
        await waits(waiting, table)
    await asyncio.gather(waiting, *calls)
    assert order[0] == "other"


async def test_a_process_whose_calls_are_done_keeps_nobody_waiting(
    process: Callable[[], FleetSlots], table: FakeSlotTable
) -> None:
    first, second = process(), process()
    async with first.slot():
        calls = [asyncio.create_task(call(first)) for _ in range(5)]
        asked = len(table.asked)
        await until(lambda: len(table.asked) >= asked + 3)
    await asyncio.gather(*calls)
    await call(second)  # by a clock that stands still: no place in the queue has to be forgotten first


async def test_the_turn_of_a_process_alone_is_prolonged(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    slots = process()
    for _ in range(3):
        async with slots.slot():
            clock.now += TURN_SECONDS
    assert table.asked == ["create", "take", "renew", "renew", "renew"]


@pytest.mark.parametrize("ends", ["times out", "is cancelled"])
async def test_a_call_that_was_given_up_keeps_its_slot_for_one_more_time_out(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock, ends: str
) -> None:
    """The service may still work on it, and the next call may be this process's own."""
    slots = process()
    if ends == "times out":
        await timed_out(slots)
    else:
        given_up = asyncio.create_task(hold(slots))
        await settled()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    waiting = asyncio.create_task(call(slots))
    await waits(waiting, table)
    clock.now += LEASE_SECONDS - 0.001
    await waits(waiting, table)
    clock.now += 0.001
    await waiting


async def hold(slots: FleetSlots) -> None:
    async with slots.slot():
        await asyncio.Event().wait()


@pytest.mark.parametrize("code", ["SERVICE_ERROR", "SERVICE_UNREACHABLE", "BAD_RESPONSE"])
async def test_a_call_that_failed_in_time_keeps_nothing(
    process: Callable[[], FleetSlots], table: FakeSlotTable, code: Code
) -> None:
    slots = process()
    with pytest.raises(WindmillError):
        await call(slots, code)
    await call(slots)
    assert table.asked == ["create", "take"]


async def test_a_process_that_was_frozen_asks_again_before_it_calls(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    frozen = process()
    await call(frozen)
    clock.now += LEASE_SECONDS
    async with process().slot():
        waiting = asyncio.create_task(call(frozen))
        await waits(waiting, table)
    await waiting


async def test_freeing_an_old_lease_late_does_not_free_the_new_one(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    """The process was frozen for so long that it takes the slot anew before it frees what it had."""
    frozen, other = process(), process()
    await call(frozen)
    clock.now += LEASE_SECONDS
    async with frozen.slot():
        await until(lambda: table.asked[-1] == "free")
        waiting = asyncio.create_task(call(other))
        await waits(waiting, table)
    await waiting


async def test_calls_wait_while_the_database_is_away(process: Callable[[], FleetSlots], table: FakeSlotTable) -> None:
    table.error = WindmillError("DATABASE_UNAVAILABLE", "refused")
    waiting = asyncio.create_task(call(process()))
    await until(lambda: table.asked)
    assert not waiting.done()
    table.error = None
    await waiting


async def test_a_slot_that_cannot_be_renewed_is_not_called_on_and_freed_if_possible(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    slots = process()
    async with slots.slot():
        clock.now += TURN_SECONDS
        table.error = WindmillError("DATABASE_UNAVAILABLE", "no answer")
    table.error = None
    await until(lambda: table.asked[-1] == "free")
    await call(process())
    assert table.asked == ["create", "take", "renew", "free", "create", "take"]


async def test_a_process_that_ends_frees_its_slot(process: Callable[[], FleetSlots], table: FakeSlotTable) -> None:
    async with process() as slots:
        await call(slots)
    assert table.asked == ["create", "take", "free"]


async def test_rows_that_an_outage_of_the_database_took_are_made_anew(
    process: Callable[[], FleetSlots], table: FakeSlotTable, clock: Clock
) -> None:
    """As when it is restored from a backup that has none."""
    slots = process()
    await call(slots)
    clock.now += LEASE_SECONDS
    table.error = WindmillError("DATABASE_UNAVAILABLE", "refused")
    waiting = asyncio.create_task(call(slots))
    await until(lambda: table.asked.count("take") == 2)
    table.rows.clear()
    table.error = None
    await waiting
    assert table.asked[-2:] == ["create", "take"]


async def test_a_slot_that_was_leased_to_a_caller_who_has_gone_is_freed_at_once(
    process: Callable[[], FleetSlots], table: FakeSlotTable
) -> None:
    table.unheard = asyncio.Event()
    async with process() as slots:
        gone = asyncio.create_task(call(slots))
        await until(lambda: table.asked == ["create", "take"])
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    table.unheard = None
    assert table.asked[2:] == ["free"]
    await call(process())


def test_a_lease_of_several_addresses_outlasts_a_call_that_begins_anew_at_the_next(
    table: FakeSlotTable, clock: Clock
) -> None:
    urls = tuple(ServiceUrl("http", host, 1) for host in ("a", "b"))
    leases = []
    for service in (POSE, replace(POSE, urls=urls)):
        slots = FleetSlots(service, 1, CALL_SECONDS, table, clock=clock)
        asyncio.run(call(slots))
        leases.append(table.rows["pose", 0].until - clock.now)
        clock.now += 60
    assert leases == [LEASE_SECONDS, LEASE_SECONDS + CALL_SECONDS]


async def test_as_many_calls_as_there_are_slots(clock: Clock, table: FakeSlotTable) -> None:
    first, second = (FleetSlots(POSE, 2, CALL_SECONDS, table, clock=clock) for _ in range(2))
    async with first.slot(), second.slot():
        waiting = asyncio.create_task(call(first))
        await waits(waiting, table)
    await waiting


def test_only_services_that_bear_few_callers_have_slots(table: FakeSlotTable) -> None:
    settings = Settings.from_env({})
    assert fleet_slots(table, settings, POSE)
    assert fleet_slots(table, settings, replace(POSE, fleet_concurrency=None)) is None
