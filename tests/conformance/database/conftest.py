"""The tables that have to behave alike: the one in memory that unit tests use, and PostgreSQL behind the writer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import pytest

from tests.fake_table import FakeTable
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.result_writer import ResultRow, ResultWriter, row_saver


class AnyTable(Protocol):
    """A table under test."""

    async def write(self, row: ResultRow) -> None: ...

    async def kept(self) -> Sequence[ResultRow]: ...


class TableInMemory:
    def __init__(self) -> None:
        self._table = FakeTable()

    async def write(self, row: ResultRow) -> None:
        await self._table.write(row)

    async def kept(self) -> Sequence[ResultRow]:
        return [self._table.kept[key] for key in sorted(self._table.kept)]


class PostgreSQL:
    def __init__(self, pool: database.Pool, writer: ResultWriter) -> None:
        self._pool = pool
        self._writer = writer

    async def write(self, row: ResultRow) -> None:
        await self._writer.write(row)

    async def kept(self) -> Sequence[ResultRow]:
        found = await self._pool.fetch("SELECT * FROM results ORDER BY image_id, service")
        return [ResultRow(**{name: row[name] for name in ResultRow._fields}) for row in found]


@pytest.fixture
async def any_table(real_settings: Settings | None) -> AsyncIterator[AnyTable]:
    if real_settings is None:
        yield TableInMemory()
        return
    async with database.pool(real_settings, "test", max_size=2) as pool:
        # Rows that are written at once share a batch.
        writer = ResultWriter(row_saver(pool, real_settings), batch_rows=10, batch_seconds=0.05, in_progress=lambda: 10)
        running = asyncio.create_task(writer.run())
        yield PostgreSQL(pool, writer)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
