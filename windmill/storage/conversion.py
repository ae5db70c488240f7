"""Derived rows that still stand as they did before migration 34, and the batches that convert them: decisions/0027."""

from dataclasses import dataclass

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, Pool, translate_errors
from windmill.storage.migrations import MIGRATE_SECONDS
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class ConversionState:
    """How much of the tables of before there was, and is left to convert; and how many images were, in batches."""

    pages: int
    pages_left: int
    images: int

    @property
    def share_done(self) -> float:
        return 1.0 - self.pages_left / self.pages if self.pages else 1.0


@dataclass(frozen=True)
class ConvertedBatch:
    """What one batch did. `taken`: another process is converting. `waiting` counts images of this batch that another
    transaction holds; the next batch begins with them."""

    taken: bool
    images: int
    waiting: int
    pages_left: int


async def is_converting(connection: Connection) -> bool:
    return bool(await connection.fetchval(queries()["is_converting"]))


async def read_conversion(connection: Connection) -> ConversionState | None:
    """None once all rows are converted."""
    row = await connection.fetchrow(queries()["read_conversion"])
    return None if row is None else ConversionState(**row)


async def convert_batch(pool: Pool, settings: DatabaseSettings, pages: int) -> ConvertedBatch | None:
    """Convert the images that have rows in the next so many pages, in a transaction of its own. None if nothing is to
    be converted."""
    async with transaction(pool, settings) as connection:
        if not await is_converting(connection):
            return None
        row = await connection.fetchrow(queries()["convert_next_rows"], pages)
    assert row is not None, "a function is one row"
    if row["images"] is None:
        return ConvertedBatch(taken=True, images=0, waiting=0, pages_left=1)
    return ConvertedBatch(taken=False, **row)


async def end_conversion(pool: Pool, settings: DatabaseSettings) -> bool:
    """Drop the tables of before, which are read once more to be sure that they are empty. False if they are not, or
    another process is at it."""
    with translate_errors(settings):
        async with transaction(pool, settings) as connection:
            return bool(await connection.fetchval(queries()["end_conversion"], timeout=MIGRATE_SECONDS))
