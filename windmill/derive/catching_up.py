"""Looking once at the images that were there before a stage: their results left no marks, as nobody wanted any."""

import asyncio
import logging

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import Stage
from windmill.derive.claims import transaction
from windmill.derive.sweep import Wanted, mark_page, room
from windmill.process.runner import pause
from windmill.storage.database import Pool
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

WAIT_SECONDS = 2.0
OTHER_SECONDS = 30.0


async def catch_up(pool: Pool, settings: DatabaseSettings, stage: Stage, stop: asyncio.Event) -> None:
    """Mark page after page until all were seen. How far that is is in the database: another process goes on from
    there, and only one is at it at a time."""
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
            # Another process may be at it, and may be lost before the end.
            await pause(stop, OTHER_SECONDS)
        elif found < 0:
            await pause(stop, WAIT_SECONDS)
        else:
            marked += found
            if found:
                logger.debug("marked images that were there before", extra={"stage": stage, "images": marked})


async def _page(pool: Pool, settings: DatabaseSettings, stage: Stage) -> int | None:
    """How many images were marked; less than 0 when there is no room for marks, None when there is nothing to do."""
    sql = queries()
    async with transaction(pool, settings) as connection:
        row = await connection.fetchrow(sql["lock_open_sweep"], stage)
        if row is None:
            return None
        if not await room(connection, stage):
            return -1
        page = await mark_page(connection, stage, Wanted(), row["swept_image_id"])
        await connection.execute(sql["note_sweep"], stage, page.last)
    if page.last is None:
        logger.info("all images were looked at", extra={"stage": stage})
    return page.marked
