"""What the fleet knows of its canaries, in the table canaries, and the answers of services that were blind."""

from windmill.core.services import CanaryKind
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.conversion import is_converting
from windmill.storage.database import Pool, translate_errors
from windmill.storage.queries import queries

ACQUIRE_SECONDS = 5.0


class CanaryNotes:
    """Notes whether canaries were found; judges the answers of a blindness once it is over."""

    def __init__(self, pool: Pool, settings: DatabaseSettings, *, settle_seconds: float) -> None:
        self._pool = pool
        self._settings = settings
        self._settle_seconds = settle_seconds

    async def found(self, service: str, kind: CanaryKind, seconds_ago: float) -> bool:
        """Note that the canary was found. If the service was blind, its empty answers since it last found it are marked
        once those under way are committed; True until then."""
        sql, seconds = queries(), self._settle_seconds
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection, connection.transaction():
                noted = await connection.fetchrow(sql["note_canary_found"], service, seconds_ago, seconds)
                assert noted, "an upsert without a condition returns its row"
                if noted["settled"]:
                    await connection.execute(sql["mark_blind_answers"], service, kind, seconds)
                    if await is_converting(connection):
                        await connection.execute(sql["delete_blind_answers_of_before"], service, kind, seconds)
                    await connection.execute(sql["delete_blind_enrichments"], service, kind, seconds)
                    await connection.execute(sql["end_blindness"], service)
        return bool(noted["doubtful"] and not noted["settled"])

    async def missed(self, service: str) -> bool:
        """Note that it was not found; returns whether it ever was."""
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                return await connection.fetchval(queries()["note_canary_missed"], service) is not None
