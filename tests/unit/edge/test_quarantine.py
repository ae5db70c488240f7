"""Suspected poison jobs run alone in their process."""

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


async def test_a_suspect_begins_when_no_other_job_runs_and_no_consumer_consumes() -> None:
    quarantine = Quarantine()
    began = asyncio.Event()

    async def suspect_job() -> None:
        async with quarantine.alone("here") as granted:
            assert granted
            began.set()

    quarantine.set_prefetch("here", 100)
    quarantine.set_prefetch("there", 100)
    quarantine.started()
    quarantine.started()
    job = asyncio.create_task(suspect_job())
    changes: list[Callable[[], None]] = [
        lambda: quarantine.set_prefetch("here", 0),
        lambda: quarantine.set_prefetch("there", 0),
        quarantine.settled,
    ]
    for change in changes:
        await settled()
        assert not began.is_set()
        change()
    await asyncio.wait_for(job, 5)


async def test_while_one_suspect_waits_or_runs_every_consumer_stops_and_a_second_suspect_is_requeued() -> None:
    quarantine = Quarantine()
    woken: list[str] = []
    quarantine.register("here", lambda: woken.append("here"))
    quarantine.register("there", lambda: woken.append("there"))
    quarantine.started()
    async with quarantine.alone("here") as first:
        assert first
        assert woken == ["here", "there"]
        assert [quarantine.allowed_prefetch(consumer, 9) for consumer in ("here", "there")] == [0, 0]
        async with quarantine.alone("there") as second:
            assert not second
        assert quarantine.occupied, "who is turned away ends nothing"
    assert not quarantine.occupied


async def test_after_a_suspect_its_consumer_continues_one_by_one_until_a_harmless_job() -> None:
    quarantine = Quarantine()
    quarantine.started()
    async with quarantine.alone("here"):
        quarantine.release("here")
    assert [quarantine.allowed_prefetch(consumer, 9) for consumer in ("here", "there")] == [1, 0]
    quarantine.release("there")
    assert quarantine.allowed_prefetch("here", 9) == 1
    quarantine.release("here")
    assert [quarantine.allowed_prefetch(consumer, 9) for consumer in ("here", "there")] == [9, 9]


async def test_a_consumer_without_further_deliveries_releases_the_others_after_a_while() -> None:
    clock = Clock()
    quarantine = Quarantine(clock=clock)
    quarantine.started()
    async with quarantine.alone("here"):
        clock.now += 100
    assert quarantine.allowed_prefetch("there", 9) == 0
    clock.now += LINGER_SECONDS
    assert quarantine.allowed_prefetch("there", 9) == 9


async def test_a_closed_consumer_is_not_waited_for_and_a_cancelled_one_ends_the_quarantine() -> None:
    quarantine = Quarantine()
    quarantine.started()
    quarantine.set_prefetch("there", 5)

    async def suspect_job() -> None:
        async with quarantine.alone("here"):
            pass

    cancelled = asyncio.create_task(suspect_job())
    await settled()
    assert quarantine.occupied
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert not quarantine.occupied
    quarantine.unregister("there")
    await asyncio.wait_for(suspect_job(), 5)
