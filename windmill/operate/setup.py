"""Making what the fleet stores its data in: tables and queues."""

import asyncio
from collections.abc import Callable, Sequence

from windmill import broker
from windmill.broker.management import limit_deliveries
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings, DatabaseSettings
from windmill.derive.conversion import Conversion, ConversionProgress
from windmill.storage import database
from windmill.storage.conversion import ConversionState, read_conversion
from windmill.storage.migrations import Migration, migrate

REPORT_SECONDS = 10.0
"""Between two lines that tell how far the conversion is."""


async def apply_migrations(settings: DatabaseSettings) -> list[Migration]:
    """Create or update the tables; what was applied now."""
    async with database.connection(settings, "windmill migrate") as connection:
        return await migrate(connection)


async def read_open_conversion(settings: DatabaseSettings) -> ConversionState | None:
    """How far derived rows of an older form are converted; None once all are."""
    async with database.connection(settings, "windmill migrate") as connection:
        return await read_conversion(connection)


async def convert_derived_rows(
    settings: DatabaseSettings,
    stop: asyncio.Event,
    report: Callable[[ConversionProgress], None],
    *,
    most_per_second: float | None = None,
) -> bool:
    """Convert them now; whether all are."""
    async with database.pool(settings, "windmill migrate") as pool:
        conversion = Conversion(pool, settings, report, most_per_second=most_per_second, report_seconds=REPORT_SECONDS)
        return await conversion.run(stop)


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
