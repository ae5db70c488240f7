"""Reading the status of the fleet from database and broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.paths import packaged_file
from windmill.core.services import Service
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.operate.status.figures import (
    MOST_UNSUBMITTED,
    Backlog,
    FleetStatus,
    ServiceStatus,
    StepStatus,
    Worker,
    add_etas,
    add_workers,
)
from windmill.operate.status.median_times import MedianTimes
from windmill.operate.status.queue_depths import ASK_SECONDS, QueueConnection, QueueReader
from windmill.operate.wanted_states import is_altered, read_step_names
from windmill.storage import database
from windmill.storage.conversion import read_conversion
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction
from windmill.storage.wanted_states import read_wanted_states

__all__ = ["LOST_SECONDS", "FleetStatus", "ServiceStatus", "StatusReader", "read_status", "status_reader"]

NAME = "windmill status"
LOST_SECONDS = 60.0


async def read_status(
    settings: Settings, services: Sequence[Service], *, lost_seconds: float = LOST_SECONDS
) -> FleetStatus:
    """Read once. Raises if the database is unavailable; without a broker its columns are empty."""
    async with status_reader(settings, services, lost_seconds=lost_seconds) as reader:
        status = await reader.read()
    if reader.database_error:
        raise reader.database_error
    return status


@asynccontextmanager
async def status_reader(
    settings: Settings, services: Sequence[Service], *, lost_seconds: float = LOST_SECONDS
) -> AsyncIterator["StatusReader"]:
    """A reader whose connections are closed on leaving."""
    async with database.pool(settings, NAME, max_size=1) as pool:
        reader = StatusReader(settings, services, pool, lost_seconds)
        try:
            yield reader
        finally:
            await reader.close()


class StatusReader:
    """Reads again and again over the same connections. A server that is away only leaves its numbers empty."""

    def __init__(
        self, settings: Settings, services: Sequence[Service], pool: database.Pool, lost_seconds: float
    ) -> None:
        self._settings = settings
        self.names = [service.name for service in services]
        self._pool = pool
        self._lost_seconds = lost_seconds
        self._queues = QueueReader(QueueConnection(settings, self.names, NAME))
        self._medians = MedianTimes()
        self.database_error: WindmillError | None = None

    async def read(self, recent: float = 0.0) -> FleetStatus:
        """Query database and broker at once; what the broker told `recent` seconds ago will do."""
        status = FleetStatus(0, [ServiceStatus(name) for name in self.names])
        status.uncalibrated = self._settings.calibration == packaged_file("calibration.json")
        await asyncio.gather(self._add_rows(status), self._add_queues(status, recent))
        add_etas(status)
        return status

    def give_up(self) -> None:
        """Abort a query to a database that hangs: it would go on waiting even when cancelled."""
        self._pool.terminate()

    async def close(self) -> None:
        await self._queues.close()

    async def _add_rows(self, status: FleetStatus) -> None:
        self.database_error = None
        try:
            with database.translate_errors(self._settings):
                async with asyncio.timeout(ASK_SECONDS), self._pool.acquire(timeout=ASK_SECONDS) as connection:
                    await self._fetch(connection, status)
        except WindmillError as error:
            self.database_error = error
            status.database = str(error)

    async def _fetch(self, connection: database.Connection, status: FleetStatus) -> None:
        sql = queries()
        images = await connection.fetchrow(sql["count_images"])
        assert images is not None
        status.images, status.copies, status.at = images["images"], images["copies"], images["at"]
        status.unsubmitted = int(await connection.fetchval(sql["count_unsubmitted_images"], MOST_UNSUBMITTED))
        counts = await connection.fetch(sql["count_results_by_service"])
        times = await self._medians.read(connection)
        rows = await connection.fetch(sql["list_workers"], self.names, self._lost_seconds)
        status.backlog = [Backlog(**row) for row in await connection.fetch(sql["list_backlog"], list(STAGES))]
        status.workers = [_worker(row) for row in rows]
        status.steps = [StepStatus(**row) for row in await connection.fetch(sql["list_step_work"])]
        conversion = await read_conversion(connection)
        status.converted = round(conversion.share_done, 4) if conversion else None
        status.jobs = {row["status"]: row["jobs"] for row in await connection.fetch(sql["count_open_jobs"])}
        wanted = await read_wanted_states(connection)
        status.wanted = [one for one in wanted.by_name.values() if is_altered(one)]
        add_workers(status.services, status.workers)
        for one in status.services:
            _add_counts(one, [row for row in counts if row["service"] == one.service])
            p50 = times.get(one.service)
            one.p50 = None if p50 is None else round(p50, 4)

    async def _add_queues(self, status: FleetStatus, recent: float) -> None:
        try:
            found = await self._queues.read(recent)
        except WindmillError as error:
            status.broker = str(error)
            return
        status.retrying = found.retrying
        for one in status.services:
            one.urgent, one.parked = found.urgent[one.service], found.parked[one.service]
            one.queued = found.ordinary[one.service] + one.urgent


async def read_workers(
    pool: database.Pool, settings: DatabaseSettings, names: Sequence[str], lost_seconds: float = LOST_SECONDS
) -> list[Worker]:
    """The processes that serve these services and steps, or did so lately."""
    async with transaction(pool, settings) as connection:
        return [_worker(row) for row in await connection.fetch(queries()["list_workers"], list(names), lost_seconds)]


async def read_all_workers(pool: database.Pool, settings: DatabaseSettings, services: Sequence[str]) -> list[Worker]:
    """The processes that serve these services, and those of the steps of jobs."""
    return await read_workers(pool, settings, [*services, *await read_step_names(pool, settings)])


def _worker(row: Any) -> Worker:  # noqa: ANN401 - a record of the driver, which only windmill.storage.database knows
    return Worker(**{one.name: row[one.name] for one in fields(Worker)} | {"process": str(row["process"])})


def _add_counts(status: ServiceStatus, rows: Sequence[Any]) -> None:
    for row in rows:
        if row["error_code"] is None:
            status.done = row["rows"]
        else:
            status.failures[row["error_code"]] = row["rows"]
    status.failed = sum(status.failures.values())
