"""Slots of a step are taken at once or not at all."""

import asyncio

from tests.waiting import settled
from windmill.jobs.free_slots import FreeSlots


async def test_no_more_slots_are_taken_than_there_are() -> None:
    slots = FreeSlots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.give_back()
    assert slots.take()
    assert slots.none


async def test_who_waits_for_a_slot_goes_on_when_one_is_given_back() -> None:
    slots = FreeSlots(1)
    slots.take()
    waiting = asyncio.ensure_future(slots.wait())
    await settled()
    assert not waiting.done()
    slots.give_back()
    await settled()
    assert waiting.done()


async def test_who_waits_for_a_moment_only_does_not_wait_longer() -> None:
    slots = FreeSlots(1)
    slots.take()
    await slots.wait(0)
    assert slots.none
