"""How far the fleet is: per service what is done, failed, waiting and parked."""

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
    """One service; `queued` and `parked` are None while the broker cannot be asked."""

    service: str
    done: int = 0
    failed: int = 0
    queued: int | None = None
    parked: int | None = None
    p50: float | None = None
    failures: dict[str, int] = field(default_factory=dict)


@dataclass
class FleetStatus:
    """All of it; `retrying` jobs of any service wait in the retry tiers, `broker` says why it cannot be asked."""

    images: int
    services: list[ServiceStatus]
    retrying: int | None = None
    broker: str | None = None


async def read_status(settings: Settings, services: Sequence[Service]) -> FleetStatus:
    """Ask database and broker at once; a broker that is away leaves its columns empty."""
    status = FleetStatus(0, [ServiceStatus(service.name) for service in services])
    await asyncio.gather(_add_results(settings, status), _add_queues(settings, status))
    return status


async def _add_results(settings: Settings, status: FleetStatus) -> None:
    sql = queries()
    async with database.connection(settings, "windmill status") as connection:
        status.images = await connection.fetchval(sql["count_images"])
        counts = {row["service"]: row for row in await connection.fetch(sql["count_results_by_service"])}
        failures = await connection.fetch(sql["count_failures_by_code"])
    for one in status.services:
        if row := counts.get(one.service):
            one.done, one.failed, one.p50 = row["done"], row["failed"], row["p50"] and round(row["p50"], 4)
        one.failures = {row["error_code"]: row["failed"] for row in failures if row["service"] == one.service}


async def _add_queues(settings: Settings, status: FleetStatus) -> None:
    names = [one.service for one in status.services]
    try:
        async with broker.connection(settings, "windmill status") as opened:
            queued = await broker.depths(opened, settings, names)
            parked = await broker.depths(opened, settings, names, queue=broker.failed_queue)
            status.retrying = await broker.waiting_to_be_retried(opened, settings)
    except WindmillError as error:
        status.broker = str(error)
        return
    for one in status.services:
        one.queued, one.parked = queued[one.service], parked[one.service]


def as_table(status: FleetStatus) -> str:
    """For people."""
    cells = [
        [one.service, one.done, one.failed, one.queued, one.parked, one.p50, _listed(one.failures)]
        for one in status.services
    ]
    total = ["all", *(_total([row[column] for row in cells]) for column in range(1, 5))]
    text = table(["service", "done", "failed", "queued", "parked", "p50 s", "failures"], [*cells, [*total, None, ""]])
    retrying = f", {status.retrying:,} jobs wait to be tried again" if status.retrying is not None else ""
    return f"{text}{status.images:,} images registered{retrying}\n"


def _listed(failures: dict[str, int]) -> str:
    return " ".join(f"{code}:{count}" for code, count in failures.items())


def _total(column: Sequence[object]) -> int | None:
    known = [value for value in column if isinstance(value, int)]
    return sum(known) if known else None


def as_json(status: FleetStatus) -> dict[str, object]:
    """For programs."""
    return asdict(status)
