"""Making what the fleet stores its data in: tables and queues."""

import asyncio
from collections.abc import Sequence

from windmill import broker
from windmill.broker.management import limit_deliveries
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings, DatabaseSettings
from windmill.storage import database
from windmill.storage.migrations import Migration, migrate


async def apply_migrations(settings: DatabaseSettings) -> list[Migration]:
    """Create or update the tables; what was applied now."""
    async with database.connection(settings, "windmill migrate") as connection:
        return await migrate(connection)


async def declare_queues(settings: BrokerSettings, services: Sequence[str]) -> WindmillError | None:
    """Make the queues and their policies; why there are no policies, if the management API refused.

    Workers count deliveries themselves, so the queues can be used without the policies.
    """
    async with broker.connection(settings, "windmill declare") as opened:
        await broker.declare(opened, settings, services)
    try:
        await asyncio.to_thread(limit_deliveries, settings, services)
    except WindmillError as error:
        return error
    return None
