"""Calls at a time, while the number changes and callers go away."""

import asyncio
import random

import pytest

from tests.waiting import settled, turns
from windmill.calling.resizable_semaphore import ResizableSemaphore


async def hold(slots: ResizableSemaphore, release: asyncio.Event, order: list[int], number: int = 0) -> None:
    async with slots:
        order.append(number)
        await release.wait()


async def test_no_more_get_in_than_there_are_slots_and_who_waits_longest_is_next() -> None:
    slots, release, order = ResizableSemaphore(2), asyncio.Event(), list[int]()
    holders = [asyncio.create_task(hold(slots, release, order, number)) for number in range(5)]
    await settled()
    assert (order, slots.taken) == ([0, 1], 2)
    release.set()
    await asyncio.gather(*holders)
    assert (order, slots.taken) == ([0, 1, 2, 3, 4], 0)


async def test_more_slots_let_those_in_that_wait() -> None:
    slots, release, order = ResizableSemaphore(1), asyncio.Event(), list[int]()
    holders = [asyncio.create_task(hold(slots, release, order, number)) for number in range(4)]
    await settled()
    slots.resize(3)
    await settled()
    assert order == [0, 1, 2]
    assert slots.size == 3
    release.set()
    await asyncio.gather(*holders)


async def test_fewer_slots_take_effect_as_calls_end() -> None:
    slots, order = ResizableSemaphore(3), list[int]()
    releases = [asyncio.Event() for _ in range(5)]
    holders = [asyncio.create_task(hold(slots, release, order, n)) for n, release in enumerate(releases)]
    await settled()
    slots.resize(1)
    releases[0].set()
    releases[1].set()
    await settled()
    assert (order, slots.taken) == ([0, 1, 2], 1), "two have left, and the third alone fills what is left"
    releases[2].set()
    await settled()
    assert order == [0, 1, 2, 3]
    for release in releases:
        release.set()
    await asyncio.gather(*holders)
    assert slots.taken == 0


async def test_who_is_cancelled_while_waiting_takes_no_slot() -> None:
    slots, release, order = ResizableSemaphore(1), asyncio.Event(), list[int]()
    first, second, third = (asyncio.create_task(hold(slots, release, order, number)) for number in range(3))
    await settled()
    second.cancel()
    await settled()
    release.set()
    await asyncio.gather(first, third)
    assert (order, slots.taken) == ([0, 2], 0)


async def test_who_is_cancelled_just_as_the_turn_comes_passes_it_on() -> None:
    slots, release, order = ResizableSemaphore(1), asyncio.Event(), list[int]()
    await slots.__aenter__()
    second, third = (asyncio.create_task(hold(slots, release, order, number)) for number in (2, 3))
    await settled()
    await slots.__aexit__()
    assert slots.taken == 1, "the slot is the second's already, though it has not run"
    second.cancel()
    await settled()
    assert second.cancelled()
    assert (order, slots.taken) == ([3], 1)
    release.set()
    await third
    assert slots.taken == 0


async def test_who_is_cancelled_as_the_turn_comes_after_the_slots_were_cut_leaves_it_unused() -> None:
    slots, release, order = ResizableSemaphore(2), asyncio.Event(), list[int]()
    await slots.__aenter__()
    await slots.__aenter__()
    second, third = (asyncio.create_task(hold(slots, release, order, number)) for number in (2, 3))
    await settled()
    await slots.__aexit__()
    slots.resize(1)
    second.cancel()
    await settled()
    assert (order, slots.taken) == ([], 1)
    await slots.__aexit__()
    release.set()
    await third
    assert slots.taken == 0


async def test_a_slot_is_free_again_when_its_call_fails() -> None:
    slots = ResizableSemaphore(1)
    with pytest.raises(ZeroDivisionError):
        async with slots:
            raise ZeroDivisionError
    assert slots.taken == 0


async def test_who_comes_while_others_wait_does_not_overtake_them() -> None:
    slots, release, order = ResizableSemaphore(1), asyncio.Event(), list[int]()
    await slots.__aenter__()
    waits = asyncio.create_task(hold(slots, release, order, 1))
    await settled()
    await slots.__aexit__()
    late = asyncio.create_task(hold(slots, release, order, 2))
    release.set()
    await asyncio.gather(waits, late)
    assert order == [1, 2]


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_the_slots_are_kept_and_nobody_is_forgotten(seed: int) -> None:
    dice, slots = random.Random(seed), ResizableSemaphore(3)
    inside, most = 0, 3

    async def call() -> None:
        nonlocal inside
        async with slots:
            inside += 1
            try:
                await turns(dice.randrange(4))
            finally:
                inside -= 1

    calls = []
    for _ in range(300):
        calls.append(asyncio.create_task(call()))
        if dice.random() < 0.3:
            dice.choice(calls).cancel()
        if dice.random() < 0.1:
            slots.resize(dice.randrange(1, 6))
            most = max(most, slots.size)
        if dice.random() < 0.7:
            await turns(1)
        assert inside <= slots.taken <= 5
    async with asyncio.timeout(5):
        await asyncio.gather(*calls, return_exceptions=True)
    assert (inside, slots.taken) == (0, 0)


async def hold_urgent(slots: ResizableSemaphore, order: list[str], name: str) -> None:
    async with slots.urgent:
        order.append(name)
        await turns(3)


async def hold_ordinary(slots: ResizableSemaphore, order: list[str], name: str) -> None:
    async with slots:
        order.append(name)
        await turns(3)


async def test_urgent_callers_overtake_those_that_wait_and_nobody_who_holds_a_slot() -> None:
    slots, order = ResizableSemaphore(1), list[str]()
    tasks = [asyncio.create_task(hold_ordinary(slots, order, f"ordinary {number}")) for number in range(3)]
    while not order:
        await turns(1)
    tasks += [asyncio.create_task(hold_urgent(slots, order, f"urgent {number}")) for number in range(2)]
    await asyncio.gather(*tasks)
    assert order == ["ordinary 0", "urgent 0", "urgent 1", "ordinary 1", "ordinary 2"]
    assert slots.taken == 0


async def test_one_slot_in_ten_goes_to_ordinary_callers_while_urgent_ones_wait() -> None:
    slots, order = ResizableSemaphore(2), list[str]()
    tasks = [asyncio.create_task(hold_urgent(slots, order, "u")) for _ in range(100)]
    tasks += [asyncio.create_task(hold_ordinary(slots, order, "o")) for _ in range(30)]
    await asyncio.gather(*tasks)
    assert "".join(order[:100]) == ("u" * 9 + "o") * 10
    assert slots.taken == 0


async def test_an_urgent_caller_that_is_cancelled_takes_no_slot_and_no_turn() -> None:
    slots, order = ResizableSemaphore(1), list[str]()
    release = asyncio.Event()
    holder = asyncio.create_task(hold(slots, release, []))
    await settled()
    gone = asyncio.create_task(hold_urgent(slots, order, "gone"))
    stays = asyncio.create_task(hold_ordinary(slots, order, "stays"))
    await settled()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    release.set()
    await asyncio.gather(holder, stays)
    assert (order, slots.taken) == (["stays"], 0)
