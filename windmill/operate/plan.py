"""How long so many images take, what machines they need, and how much disk: measured where there is something to
measure, assumed elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from windmill.calling.service_state import concurrency
from windmill.core.errors import WindmillError
from windmill.core.services import Service
from windmill.core.setting_parts import CallSettings, DatabaseSettings
from windmill.core.settings import Settings
from windmill.kernels.flow import capacity
from windmill.kernels.flow.capacity import MeasuredTable, TableFootprint, Throughput
from windmill.kernels.text.tables import render_table
from windmill.operate.render import render_bytes, render_eta
from windmill.operate.status.figures import FRESH_SECONDS
from windmill.storage import database
from windmill.storage.queries import queries


@dataclass(frozen=True)
class PlanRequest:
    """How many images, by when, and how far the producer may be ahead of the workers."""

    images: int
    deadline: timedelta | None = None
    max_queued: int = 1_000_000


@dataclass
class FleetMeasurements:
    """What the database knows of this fleet; empty as long as nothing is measured."""

    busy_rates: dict[str, list[float]] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tables: dict[str, MeasuredTable] = field(default_factory=dict)


@dataclass(frozen=True)
class ServicePlan:
    """How long a service takes with the workers of now (with one, if there are none)."""

    service: str
    rate_per_worker: float
    source: str
    workers_now: int
    hours: float
    workers_needed: int | None


@dataclass(frozen=True)
class TablePlan:
    """How large a table becomes."""

    table: str
    rows_per_image: float
    bytes_per_row: int
    bytes: int
    source: str


@dataclass(frozen=True)
class CapacityPlan:
    """The whole plan; `unmeasured` says why the database could not be asked."""

    images: int
    deadline: timedelta | None
    services: list[ServicePlan]
    disk: list[TablePlan]
    disk_bytes: int
    queues: capacity.QueueLoad
    unmeasured: WindmillError | None = None


async def make_plan(settings: Settings, services: Sequence[Service], request: PlanRequest) -> CapacityPlan:
    """The plan from what is measured; without a database all of it is assumed."""
    try:
        measurements, unmeasured = await read_measurements(settings), None
    except WindmillError as error:
        measurements, unmeasured = FleetMeasurements(), error
    return plan(settings, services, measurements, request, unmeasured)


async def read_measurements(settings: DatabaseSettings) -> FleetMeasurements:
    measurements = FleetMeasurements()
    async with database.connection(settings, "windmill plan") as connection:
        for row in await connection.fetch(queries()["paces_of_workers"], FRESH_SECONDS):
            measurements.workers[row["service"]] = measurements.workers.get(row["service"], 0) + 1
            if row["busy"]:
                measurements.busy_rates.setdefault(row["service"], []).append(row["rate"])
        rows = await connection.fetch(queries()["median_times"])
        measurements.seconds = {row["service"]: row["p50"] for row in rows if row["p50"]}
        rows = await connection.fetch(queries()["sizes_of_tables"], list(capacity.ASSUMED_FOOTPRINTS))
        measurements.tables = {row["name"]: MeasuredTable(row["rows"], row["size"]) for row in rows}
    return measurements


def plan(
    settings: CallSettings,
    services: Sequence[Service],
    measurements: FleetMeasurements,
    request: PlanRequest,
    unmeasured: WindmillError | None = None,
) -> CapacityPlan:
    """The plan from these measurements. Pure."""
    weights = capacity.table_footprints(measurements.tables, len(services))
    return CapacityPlan(
        images=request.images,
        deadline=request.deadline,
        services=[_plan_service(settings, service, measurements, request) for service in services],
        disk=[_plan_table(name, weight, request.images) for name, weight in weights.items()],
        disk_bytes=round(sum(weight.bytes_per_image for weight in weights.values()) * request.images),
        queues=capacity.queue_load(request.images, len(services), request.max_queued),
        unmeasured=unmeasured,
    )


def _plan_service(
    settings: CallSettings, service: Service, measurements: FleetMeasurements, request: PlanRequest
) -> ServicePlan:
    pace = _pace(settings, service, measurements)
    workers = measurements.workers.get(service.name, 0)
    seconds = capacity.duration_seconds(request.images, pace.per_worker, workers or 1)
    deadline = request.deadline.total_seconds() if request.deadline else None
    return ServicePlan(
        service=service.name,
        rate_per_worker=round(pace.per_worker, 3),
        source=pace.source,
        workers_now=workers,
        hours=round(seconds / 3600, 2),
        workers_needed=capacity.workers_needed(request.images, pace.per_worker, deadline) if deadline else None,
    )


def _pace(settings: CallSettings, service: Service, measurements: FleetMeasurements) -> Throughput:
    calls = concurrency(service, settings)
    return capacity.throughput(
        measurements.busy_rates.get(service.name, ()),
        measurements.seconds.get(service.name),
        1 if calls == "auto" else calls,
        capacity.assumed_seconds(service.sets),
    )


def _plan_table(name: str, weight: TableFootprint, images: int) -> TablePlan:
    return TablePlan(
        table=name,
        rows_per_image=round(weight.rows_per_image, 2),
        bytes_per_row=round(weight.bytes_per_row),
        bytes=round(weight.bytes_per_image * images),
        source=weight.source,
    )


def render_plan_json(plan: CapacityPlan) -> dict[str, Any]:
    queues = plan.queues
    return {
        "images": plan.images,
        "deadline_seconds": plan.deadline.total_seconds() if plan.deadline else None,
        "services": [_render_service_json(one) for one in plan.services],
        "disk": [_render_table_json(one) for one in plan.disk],
        "disk_bytes": plan.disk_bytes,
        "queues": {"jobs": queues.jobs, "memory_bytes": queues.memory_bytes, "disk_bytes": queues.disk_bytes},
    }


def _render_service_json(one: ServicePlan) -> Mapping[str, object]:
    return {
        "service": one.service,
        "rate_per_worker": one.rate_per_worker,
        "from": one.source,
        "workers_now": one.workers_now,
        "hours": one.hours,
        "workers_needed": one.workers_needed,
    }


def _render_table_json(one: TablePlan) -> Mapping[str, object]:
    return {
        "table": one.table,
        "rows_per_image": one.rows_per_image,
        "bytes_per_row": one.bytes_per_row,
        "bytes": one.bytes,
        "from": one.source,
    }


def render_plan_text(plan: CapacityPlan) -> str:
    services = render_table(
        ["service", "rate/s of a worker", "from", "workers now", "takes", "workers needed"],
        [
            [one.service, one.rate_per_worker, one.source, one.workers_now, _render_hours(one), one.workers_needed]
            for one in plan.services
        ],
    )
    disk = render_table(
        ["table", "rows of an image", "bytes of a row", "from", "in all"],
        [[one.table, one.rows_per_image, one.bytes_per_row, one.source, render_bytes(one.bytes)] for one in plan.disk],
    )
    queues = plan.queues
    return (
        f"{plan.images:,} images; where nobody works now, with one worker\n\n{services}\n{disk}"
        f"{render_bytes(plan.disk_bytes)} in all; have half as much again free for WAL and dead rows\n\n"
        f"RabbitMQ: up to {queues.jobs:,} jobs wait, {render_bytes(queues.memory_bytes)} of memory and "
        f"{render_bytes(queues.disk_bytes)} of disk on each node that holds them\n"
    )


def _render_hours(one: ServicePlan) -> str | None:
    return render_eta(one.hours * 3600)
