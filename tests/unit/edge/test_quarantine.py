"""Jobs that may have ended workers are done alone, whatever else the process serves."""

import asyncio
from collections.abc import Callable

import pytest

from tests.waiting import settled
from windmill.edge.quarantine import LINGER_SECONDS, Quarantine, suspect


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("handed_out", "limit", "expected"),
    [(0, 20, False), (1, 20, False), (2, 20, True), (19, 20, True), (20, 20, False), (1, 2, True), (1, 1, False)],
)
def test_a_job_is_suspect_from_its_second_return_until_it_is_given_up(
    handed_out: int, limit: int, expected: bool
) -> None:
    assert suspect(handed_out, limit) is expected


async def test_a_suspect_begins_when_nothing_else_is_in_hand_and_nothing_can_come() -> None:
    quarantine = Quarantine()
    began = asyncio.Event()

    async def suspect_job() -> None:
        async with quarantine.alone("here") as granted:
            assert granted
            began.set()

    quarantine.consumes("here", 100)
    quarantine.consumes("there", 100)
    quarantine.took()
    quarantine.took()
    job = asyncio.create_task(suspect_job())
    changes: list[Callable[[], None]] = [
        lambda: quarantine.consumes("here", 0),
        lambda: quarantine.consumes("there", 0),
        quarantine.settled,
    ]
    for change in changes:
        await settled()
        assert not began.is_set()
        change()
    await asyncio.wait_for(job, 5)


async def test_while_one_suspect_waits_or_works_every_lane_stops_and_a_second_one_is_turned_away() -> None:
    quarantine = Quarantine()
    woken: list[str] = []
    quarantine.open("here", lambda: woken.append("here"))
    quarantine.open("there", lambda: woken.append("there"))
    quarantine.took()
    async with quarantine.alone("here") as first:
        assert first
        assert woken == ["here", "there"]
        assert [quarantine.allowed(lane, 9) for lane in ("here", "there")] == [0, 0]
        async with quarantine.alone("there") as second:
            assert not second
        assert quarantine.occupied, "who is turned away ends nothing"
    assert not quarantine.occupied


async def test_after_a_suspect_its_lane_goes_on_one_by_one_until_a_harmless_job_comes() -> None:
    quarantine = Quarantine()
    quarantine.took()
    async with quarantine.alone("here"):
        quarantine.harmless("here")
    assert [quarantine.allowed(lane, 9) for lane in ("here", "there")] == [1, 0]
    quarantine.harmless("there")
    assert quarantine.allowed("here", 9) == 1
    quarantine.harmless("here")
    assert [quarantine.allowed(lane, 9) for lane in ("here", "there")] == [9, 9]


async def test_a_lane_to_which_nothing_comes_any_more_holds_nobody_up() -> None:
    clock = Clock()
    quarantine = Quarantine(clock=clock)
    quarantine.took()
    async with quarantine.alone("here"):
        clock.now += 100
    assert quarantine.allowed("there", 9) == 0
    clock.now += LINGER_SECONDS
    assert quarantine.allowed("there", 9) == 9


async def test_a_lane_that_closes_is_not_waited_for_and_one_that_is_cancelled_frees_the_place() -> None:
    quarantine = Quarantine()
    quarantine.took()
    quarantine.consumes("there", 5)

    async def suspect_job() -> None:
        async with quarantine.alone("here"):
            pass

    cancelled = asyncio.create_task(suspect_job())
    await settled()
    assert quarantine.occupied
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert not quarantine.occupied
    quarantine.close("there")
    await asyncio.wait_for(suspect_job(), 5)
