"""Leases on the slots that all processes of the fleet share, in the table fleet_slots."""

from uuid import UUID

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Pool, translate_errors
from windmill.storage.queries import queries

STATEMENT_SECONDS = 5.0


class FleetSlotTable:
    """Takes, renews and frees leases; raises WindmillError while the database is away."""

    def __init__(self, pool: Pool, settings: DatabaseSettings) -> None:
        self._pool = pool
        self._settings = settings

    async def create(self, service: str, slots: int) -> None:
        """Add the rows of the service's slots that are missing."""
        await self._value(queries()["create_fleet_slots"], service, slots)

    async def take(
        self, service: str, slots: int, process: UUID, seconds: float, lease: UUID, *, queue: bool
    ) -> int | None:
        """Lease a free slot; None if there is none, and then the process is noted as waiting if it is to `queue`."""
        slot = await self._value(queries()["take_fleet_slot"], service, slots, process, seconds, lease, queue)
        assert slot is None or isinstance(slot, int)
        return slot

    async def renew(self, service: str, slot: int, lease: UUID, seconds: float) -> bool:
        """Prolong the lease; False if the slot was freed for another process or the lease has expired."""
        return bool(await self._value(queries()["renew_fleet_slot"], service, slot, lease, seconds))

    async def free(self, service: str, lease: UUID) -> None:
        """Free the slot that has this lease, if there still is one."""
        await self._value(queries()["free_fleet_slot"], service, lease)

    async def _value(self, statement: str, *arguments: object) -> object:
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=STATEMENT_SECONDS) as connection:
                return await connection.fetchval(statement, *arguments, timeout=STATEMENT_SECONDS)
