"""Reads for single readers of streams: few at a time, and none for readers that have gone."""

import asyncio

import pytest

from gateway.events.stream_reads import StreamReads
from tests.waiting import turns, until
from windmill.core.errors import WindmillError


class Database:
    """Answers when it is let, and counts who asks."""

    def __init__(self) -> None:
        self.asked = self.now = self.most = 0
        self.let = asyncio.Event()

    async def read(self) -> int:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.let.wait()
            return self.asked
        finally:
            self.now -= 1


async def test_few_reads_ask_at_a_time_and_all_are_answered() -> None:
    reads, database = StreamReads(3), Database()
    waiting = [asyncio.create_task(reads.read(database.read)) for _ in range(100)]
    await until(lambda: database.now == 3)
    database.let.set()
    await asyncio.gather(*waiting)
    assert (database.asked, database.most) == (100, 3)


async def test_a_reader_that_goes_while_it_waits_for_its_turn_never_asks() -> None:
    reads, database = StreamReads(1), Database()
    first = asyncio.create_task(reads.read(database.read))
    await until(lambda: database.now == 1)
    gone = [asyncio.create_task(reads.read(database.read)) for _ in range(50)]
    last = asyncio.create_task(reads.read(database.read))
    await turns(1)
    for one in gone:
        one.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    database.let.set()
    await asyncio.gather(first, last)
    assert database.asked == 2


async def test_what_was_begun_comes_to_its_end_and_gives_its_turn_back_though_its_reader_has_gone() -> None:
    reads, database = StreamReads(1), Database()
    gone = asyncio.create_task(reads.read(database.read))
    await until(lambda: database.now == 1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    next_one = asyncio.create_task(reads.read(database.read))
    assert (database.now, database.asked) == (1, 1), "the turn is given back only when the read has ended"
    database.let.set()
    assert await next_one == 2


async def test_a_read_that_fails_gives_its_turn_back() -> None:
    reads = StreamReads(1)

    async def fail() -> None:
        raise WindmillError("DATABASE_UNAVAILABLE", "away")

    for _ in range(2):
        with pytest.raises(WindmillError, match="away"):
            await reads.read(fail)
