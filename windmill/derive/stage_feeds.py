"""The services that feed a stage, written to the database when a post-processor starts: triggers mark by them."""

from windmill.core.services import Fleet
from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import Stage
from windmill.storage.database import Pool, translate_errors
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

LOCK_SECONDS = 5.0


async def register_stage_feeds(pool: Pool, settings: DerivationSettings, fleet: Fleet, stage: Stage) -> bool:
    """Write the services that feed the stage. Returns whether they changed: then a backfill checks every image once,
    and the database keeps its position."""
    services = tuple(sorted(fleet.feeding(stage)))
    if await read_feeds(pool, settings, stage) == services:
        return False
    sql = queries()
    async with transaction(pool, settings) as connection:
        await connection.execute(sql["limit_waiting_for_locks"], LOCK_SECONDS)
        await connection.execute(sql["stop_writers_for_a_moment"])
        await connection.execute(sql["write_stage"], stage)
        await connection.execute(sql["clear_feeds"], stage)
        await connection.execute(sql["write_feeds"], stage, list(services))
    return True


async def read_feeds(pool: Pool, settings: DerivationSettings, stage: Stage) -> tuple[str, ...] | None:
    """The services that feed the stage according to the database; None if its post-processor never ran."""
    with translate_errors(settings):
        row = await pool.fetchrow(queries()["read_feeds"], stage)
    return None if row is None else tuple(row["services"])
