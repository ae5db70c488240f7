"""Backfill of a new stage: images with results from before it have no stale marks yet, so this marks each once."""

import asyncio
import logging

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import Stage
from windmill.derive.sweep import SweepFilter, has_room_for_marks, mark_page
from windmill.process.runner import pause
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

logger = logging.getLogger(__name__)

NO_ROOM_SECONDS = 2.0
IDLE_SECONDS = 30.0


async def backfill(pool: Pool, settings: DatabaseSettings, stage: Stage, stop: asyncio.Event) -> None:
    """Mark page after page. The database keeps the position and locks it, so one process backfills at a time, and any
    other can continue."""
    outage = Outage("the database")
    marked = 0
    while not stop.is_set():
        try:
            found = await _page(pool, settings, stage)
        except WindmillError as error:
            await pause(stop, outage.failed(error))
            continue
        outage.over()
        if found is None:
            # Another process may be backfilling, and may crash before the end.
            await pause(stop, IDLE_SECONDS)
        elif found < 0:
            await pause(stop, NO_ROOM_SECONDS)
        else:
            marked += found
            if found:
                logger.debug("backfill marked images", extra={"stage": stage, "images": marked})


async def _page(pool: Pool, settings: DatabaseSettings, stage: Stage) -> int | None:
    """How many images were marked; -1 when there is no room for marks, None when there is nothing to do."""
    sql = queries()
    async with transaction(pool, settings) as connection:
        row = await connection.fetchrow(sql["lock_open_sweep"], stage)
        if row is None:
            return None
        if not await has_room_for_marks(connection, stage):
            return -1
        page = await mark_page(connection, stage, SweepFilter(), row["swept_image_id"])
        await connection.execute(sql["note_sweep"], stage, page.last)
    if page.last is None:
        logger.info("backfill finished", extra={"stage": stage})
    return page.marked
