"""Gathering rows into batches: a writer returns when its row is committed, and not before."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.waiting import settled, until
from windmill.core.errors import DataRefused, WindmillError
from windmill.storage.result_writer import ResultRow, ResultWriter

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NEVER = 60.0


def row(image_id: int) -> ResultRow:
    return ResultRow(image_id, "clip", "{}", None, None, 0.1, "w", 1, None, NOON)


class Table:
    """Keeps what is saved; refuses poisoned ids, is away for so many saves, and can be held up."""

    def __init__(self, poisoned: Sequence[int] = (), away: int = 0) -> None:
        self.batches: list[list[int]] = []
        self.tries = 0
        self._poisoned = set(poisoned)
        self._away = away
        self.open = asyncio.Event()
        self.open.set()

    @property
    def ids(self) -> list[int]:
        return sorted(image_id for batch in self.batches for image_id in batch)

    async def save(self, rows: Sequence[ResultRow]) -> None:
        self.tries += 1
        await self.open.wait()
        if self.tries <= self._away:
            raise WindmillError("DATABASE_UNAVAILABLE", "refused")
        if self._poisoned & {one.image_id for one in rows}:
            raise DataRefused("value too long")
        self.batches.append([one.image_id for one in rows])


@asynccontextmanager
async def writing(
    table: Table, *, rows: int = 100, seconds: float = NEVER, in_progress: Callable[[], int] = lambda: 1000
) -> AsyncIterator[ResultWriter]:
    writer = ResultWriter(table.save, batch_rows=rows, batch_seconds=seconds, in_progress=in_progress)
    async with asyncio.timeout(10):
        running = asyncio.create_task(writer.run())
        try:
            yield writer
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_full_batch_is_committed_without_waiting_for_its_time() -> None:
    table = Table()
    async with writing(table, rows=4) as writer:
        await asyncio.gather(*(writer.write(row(number)) for number in range(4)))
    assert table.batches == [[0, 1, 2, 3]]


async def test_no_batch_is_larger_than_the_limit() -> None:
    table = Table()
    async with writing(table, rows=4, seconds=0.01) as writer:
        await asyncio.gather(*(writer.write(row(number)) for number in range(10)))
    assert [len(batch) for batch in table.batches] == [4, 4, 2]
    assert table.ids == list(range(10))


async def test_a_batch_that_does_not_fill_is_committed_when_its_time_is_up() -> None:
    table = Table()
    async with writing(table, seconds=0.02) as writer:
        await asyncio.gather(writer.write(row(1)), writer.write(row(2)))
    assert table.batches == [[1, 2]]


async def test_nobody_waits_for_time_when_everyone_who_could_add_a_row_waits_already() -> None:
    table = Table()
    async with writing(table, in_progress=lambda: 3) as writer:
        await asyncio.gather(*(writer.write(row(number)) for number in range(3)))
    assert table.batches == [[0, 1, 2]]


@pytest.mark.parametrize("seconds", [0, 0.001])
async def test_batches_of_no_time_at_all_lose_nothing(seconds: float) -> None:
    table = Table()
    async with writing(table, seconds=seconds) as writer:
        for number in range(20):
            await writer.write(row(number))
    assert table.ids == list(range(20))


async def test_a_writer_returns_only_after_its_row_is_committed() -> None:
    table = Table()
    table.open.clear()
    async with writing(table, rows=1) as writer:
        write = asyncio.create_task(writer.write(row(1)))
        await settled()
        assert table.tries == 1
        assert not write.done()
        table.open.set()
        await write
    assert table.ids == [1]


async def test_rows_that_come_while_a_batch_is_committed_are_in_the_next_one() -> None:
    table = Table()
    table.open.clear()
    async with writing(table, rows=2, seconds=0.01) as writer:
        first = [asyncio.create_task(writer.write(row(number))) for number in (1, 2)]
        await until(lambda: table.tries)
        second = asyncio.create_task(writer.write(row(3)))
        await settled()
        table.open.set()
        await asyncio.gather(*first, second)
    assert table.batches == [[1, 2], [3]]


async def test_a_row_that_is_refused_fails_alone_and_the_others_are_committed() -> None:
    table = Table(poisoned=[2, 4])
    async with writing(table, rows=5) as writer:
        ends = await asyncio.gather(*(writer.write(row(number)) for number in range(5)), return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), type(None), DataRefused, type(None), DataRefused]
        await asyncio.gather(*(writer.write(row(number)) for number in range(5, 10)))
    assert table.ids == [0, 1, 3, 5, 6, 7, 8, 9]


async def test_while_the_database_is_away_rows_wait_and_then_none_is_lost() -> None:
    table = Table(away=1)
    async with writing(table, rows=3) as writer:
        await asyncio.gather(*(writer.write(row(number)) for number in range(3)))
    assert table.tries == 2
    assert table.batches == [[0, 1, 2]]


async def test_a_writer_that_gives_up_waiting_disturbs_nobody() -> None:
    table = Table()
    table.open.clear()
    async with writing(table, rows=2) as writer:
        gone, stays = (asyncio.create_task(writer.write(row(number))) for number in (1, 2))
        await settled()
        gone.cancel()
        table.open.set()
        await stays
        await asyncio.gather(writer.write(row(3)), writer.write(row(4)))
    assert gone.cancelled()
    assert table.batches == [[1, 2], [3, 4]]


async def test_when_the_writing_ends_whoever_waits_is_told_that_the_row_is_not_committed() -> None:
    table = Table()
    table.open.clear()
    async with writing(table, rows=2) as writer:
        in_batch = [asyncio.create_task(writer.write(row(number))) for number in (1, 2)]
        await settled()
        behind = asyncio.create_task(writer.write(row(3)))
        await settled()
    ends = await asyncio.gather(*in_batch, behind, return_exceptions=True)
    assert [getattr(end, "code", None) for end in ends] == ["DATABASE_UNAVAILABLE"] * 3
    with pytest.raises(WindmillError, match="before it could commit the row"):
        await writer.write(row(4))


async def test_a_fault_of_ours_ends_the_writing_instead_of_hiding() -> None:
    async def broken(rows: Sequence[ResultRow]) -> None:
        raise TypeError("a fault")

    writer = ResultWriter(broken, batch_rows=1, batch_seconds=NEVER, in_progress=lambda: 1)
    write = asyncio.create_task(writer.write(row(1)))
    with pytest.raises(TypeError, match="a fault"):
        await asyncio.wait_for(writer.run(), 5)
    with pytest.raises(WindmillError):
        await write
