"""What processes rely on a table of the fleet's slots for, asked of the one in memory and of PostgreSQL alike."""

import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from tests.fake_slot_table import FakeSlotTable
from windmill.calling.fleet_slots import SlotTable
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.fleet_slots import FleetSlotTable

A, B, C = (uuid4() for _ in range(3))


@pytest.fixture
async def slots(real_settings: Settings | None) -> AsyncIterator[SlotTable]:
    if real_settings is None:
        yield FakeSlotTable(time.monotonic)
        return
    async with database.pool(real_settings, "test") as pool:
        yield FleetSlotTable(pool, real_settings)


async def take(
    table: SlotTable, holder: UUID, slots: int = 1, seconds: float = 60, *, queue: bool = True
) -> int | None:
    """Each process has one lease here, under its own name."""
    await table.create("pose", slots)
    return await table.take("pose", slots, holder, seconds, holder, queue=queue)


async def test_a_slot_has_one_holder(slots: SlotTable) -> None:
    assert [await take(slots, holder) for holder in (A, B, A)] == [0, None, None]


async def test_each_slot_is_given_once(slots: SlotTable) -> None:
    assert sorted([await take(slots, holder, slots=2) or 0 for holder in (A, B)]) == [0, 1]
    assert await take(slots, C, slots=2) is None


async def test_a_freed_slot_can_be_taken_at_once(slots: SlotTable) -> None:
    assert await take(slots, A) == 0
    await slots.free("pose", A)
    assert await take(slots, B) == 0


async def test_nobody_frees_or_renews_the_slot_of_another(slots: SlotTable) -> None:
    assert await take(slots, A) == 0
    await slots.free("pose", B)
    assert not await slots.renew("pose", 0, B, 60)
    assert await take(slots, B) is None


async def test_a_freed_slot_is_kept_for_whoever_waits(slots: SlotTable) -> None:
    assert [await take(slots, holder) for holder in (A, B)] == [0, None]
    await slots.free("pose", A)
    assert [await take(slots, holder) for holder in (A, C, B)] == [None, None, 0]


async def test_a_slot_that_nobody_waits_for_is_renewed(slots: SlotTable) -> None:
    assert await take(slots, A, seconds=1) == 0
    assert await slots.renew("pose", 0, A, 60)
    assert await take(slots, B) is None


async def test_a_slot_that_another_waits_for_is_freed_instead(slots: SlotTable) -> None:
    assert [await take(slots, holder) for holder in (A, B)] == [0, None]
    assert not await slots.renew("pose", 0, A, 60)
    assert await take(slots, B) == 0


async def test_an_expired_lease_is_neither_kept_nor_renewed(slots: SlotTable) -> None:
    assert await take(slots, A, seconds=0.01) == 0
    taken: list[int | None] = []

    async def free() -> bool:
        taken.append(await take(slots, B))
        return taken[-1] == 0

    while not await free():
        assert taken[-1] is None
    assert not await slots.renew("pose", 0, A, 60)


async def test_whoever_no_longer_asks_is_not_waited_for(slots: SlotTable) -> None:
    assert [await take(slots, holder) for holder in (A, B)] == [0, None]
    await slots.free("pose", A)
    began = time.monotonic()
    while await take(slots, C) is None:
        assert time.monotonic() < began + 30
    assert time.monotonic() >= began + 1.5


async def test_services_do_not_share_their_slots(slots: SlotTable) -> None:
    assert await take(slots, A) == 0
    await slots.create("face", 1)
    assert await slots.take("face", 1, B, 60, B, queue=True) == 0


async def test_whoever_does_not_queue_keeps_no_place_and_takes_what_nobody_waits_for(slots: SlotTable) -> None:
    assert [await take(slots, A), await take(slots, B, queue=False)] == [0, None]
    await slots.free("pose", A)
    assert await take(slots, C) == 0
    assert await take(slots, B) is None
    await slots.free("pose", C)
    assert [await take(slots, A, queue=False), await take(slots, B)] == [None, 0]


async def test_whoever_got_one_slot_waits_for_no_other(slots: SlotTable) -> None:
    assert sorted([await take(slots, holder, slots=2) or 0 for holder in (A, B)]) == [0, 1]
    assert await take(slots, C, slots=2) is None
    await slots.free("pose", A)
    await slots.free("pose", B)
    assert await take(slots, C, slots=2) is not None
    assert await take(slots, A, slots=2) is not None
