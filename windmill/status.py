"""How far the fleet is: per service what is done, failed and waiting."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from windmill import broker, database
from windmill.errors import WindmillError
from windmill.queries import queries
from windmill.services import Service
from windmill.settings import Settings
from windmill.tables import table


@dataclass
class ServiceStatus:
    """One line of the table; `queued` is None while the broker cannot be asked."""

    service: str
    done: int = 0
    failed: int = 0
    queued: int | None = None
    p50: float | None = None
    failures: dict[str, int] = field(default_factory=dict)


async def read_status(settings: Settings, services: Sequence[Service]) -> list[ServiceStatus]:
    """Ask database and broker at once; a broker that is away leaves its column empty."""
    names = [service.name for service in services]
    counted, queued = await asyncio.gather(_counted(settings, names), _queued(settings, names))
    for name in names:
        counted[name].queued = queued.get(name)
    return [counted[name] for name in names]


async def _counted(settings: Settings, names: Sequence[str]) -> dict[str, ServiceStatus]:
    sql = queries()
    async with database.connection(settings, "windmill status") as connection:
        counts = await connection.fetch(sql["count_results_by_service"])
        failures = await connection.fetch(sql["count_failures_by_code"])
    found = {name: ServiceStatus(name) for name in names}
    for row in counts:
        found[row["service"]] = ServiceStatus(row["service"], row["done"], row["failed"], p50=row["p50"])
    for row in failures:
        found[row["service"]].failures[row["error_code"]] = row["failed"]
    return found


async def _queued(settings: Settings, names: Sequence[str]) -> dict[str, int]:
    try:
        async with broker.connection(settings, "windmill status") as opened:
            return await broker.depths(opened, settings, names)
    except WindmillError:
        return {}


def as_table(rows: Sequence[ServiceStatus]) -> str:
    """For people."""
    cells = [
        [row.service, row.done, row.failed, row.queued, row.p50, " ".join(f"{c}:{n}" for c, n in row.failures.items())]
        for row in rows
    ]
    return table(["service", "done", "failed", "queued", "p50 s", "failures"], cells)


def as_json(rows: Sequence[ServiceStatus]) -> list[dict[str, object]]:
    """For programs."""
    return [asdict(row) for row in rows]
