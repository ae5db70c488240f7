"""python -m windmill plan: how long so many images take, and what machines they need."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from windmill.calling.service_state import concurrency
from windmill.cli.options import Commands, add_json, add_services, age, at_once, say, whole
from windmill.core.errors import WindmillError
from windmill.core.services import Service, load_fleet
from windmill.core.setting_parts import CallSettings, DatabaseSettings
from windmill.core.settings import Settings
from windmill.kernels.flow import capacity
from windmill.kernels.flow.capacity import MeasuredTable, TableFootprint, Throughput
from windmill.kernels.text.tables import render_table
from windmill.operate.doctor.sizes import shown
from windmill.operate.status.figures import FRESH_SECONDS
from windmill.operate.status.render import eta_text
from windmill.process.runner import DONE
from windmill.storage import database
from windmill.storage.queries import queries

DESCRIPTION = """\
Extrapolates linearly from measurements: the rate of fully busy workers or, without any, the answer times in results and
the concurrency; and the sizes of the tables. The column "from" names the source; "assumed" means that nothing was
measured. A plan does not know that services share a GPU or slow down under load.
"""


@dataclass
class Figures:
    """What the database knows of this fleet; empty as long as nothing is measured."""

    busy_rates: dict[str, list[float]] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tables: dict[str, MeasuredTable] = field(default_factory=dict)


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "plan",
        help="estimate the time and resources for a number of images",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_services(add)
    add.add_argument("--images", type=whole(), required=True, metavar="N", help="number of images to process")
    add.add_argument(
        "--deadline", type=age, metavar="SPAN", help="also print how many workers finish within this time, such as 30d"
    )
    add.add_argument(
        "--max-queued", type=whole(), default=1_000_000, metavar="N", help="the producer's --max-queued (%(default)s)"
    )
    add_json(add)
    add.set_defaults(start=at_once(run_plan))


def run_plan(settings: Settings, arguments: argparse.Namespace) -> int:
    services = load_fleet(settings.service_config).select(arguments.services)
    try:
        figures = asyncio.run(_read(settings))
    except WindmillError as error:
        sys.stderr.write(f"all of it is assumed, because of {error}\n")
        figures = Figures()
    document = plan(settings, services, figures, arguments.images, arguments.deadline, arguments.max_queued)
    say(document, as_text(document), as_json=arguments.json)
    return DONE


async def _read(settings: DatabaseSettings) -> Figures:
    figures = Figures()
    async with database.connection(settings, "windmill plan") as connection:
        for row in await connection.fetch(queries()["paces_of_workers"], FRESH_SECONDS):
            figures.workers[row["service"]] = figures.workers.get(row["service"], 0) + 1
            if row["busy"]:
                figures.busy_rates.setdefault(row["service"], []).append(row["rate"])
        rows = await connection.fetch(queries()["median_times"])
        figures.seconds = {row["service"]: row["p50"] for row in rows if row["p50"]}
        rows = await connection.fetch(queries()["sizes_of_tables"], list(capacity.ASSUMED_FOOTPRINTS))
        figures.tables = {row["name"]: MeasuredTable(row["rows"], row["size"]) for row in rows}
    return figures


def plan(
    settings: CallSettings,
    services: Sequence[Service],
    figures: Figures,
    images: int,
    deadline: timedelta | None,
    most_queued: int,
) -> dict[str, Any]:
    """Everything that the command says."""
    paces = {service.name: _pace(settings, service, figures) for service in services}
    weights = capacity.table_footprints(figures.tables, len(services))
    held = capacity.queue_load(images, len(services), most_queued)
    return {
        "images": images,
        "deadline_seconds": deadline.total_seconds() if deadline else None,
        "services": [_service(name, one, figures, images, deadline) for name, one in paces.items()],
        "disk": [_disk(name, one, images) for name, one in weights.items()],
        "disk_bytes": round(sum(one.bytes_per_image for one in weights.values()) * images),
        "queues": {"jobs": held.jobs, "memory_bytes": held.memory_bytes, "disk_bytes": held.disk_bytes},
    }


def _pace(settings: CallSettings, service: Service, figures: Figures) -> Throughput:
    calls = concurrency(service, settings)
    return capacity.throughput(
        figures.busy_rates.get(service.name, ()),
        figures.seconds.get(service.name),
        1 if calls == "auto" else calls,
        capacity.assumed_seconds(service.sets),
    )


def _service(name: str, one: Throughput, figures: Figures, images: int, deadline: timedelta | None) -> dict[str, Any]:
    workers = figures.workers.get(name, 0)
    seconds = capacity.duration_seconds(images, one.per_worker, workers or 1)
    needed = capacity.workers_needed(images, one.per_worker, deadline.total_seconds()) if deadline else None
    return {
        "service": name,
        "rate_per_worker": round(one.per_worker, 3),
        "from": one.source,
        "workers_now": workers,
        "hours": round(seconds / 3600, 2),
        "workers_needed": needed,
    }


def _disk(name: str, one: TableFootprint, images: int) -> dict[str, Any]:
    return {
        "table": name,
        "rows_per_image": round(one.rows_per_image, 2),
        "bytes_per_row": round(one.bytes_per_row),
        "bytes": round(one.bytes_per_image * images),
        "from": one.source,
    }


def as_text(document: Mapping[str, Any]) -> str:
    services = render_table(
        ["service", "rate/s of a worker", "from", "workers now", "takes", "workers needed"],
        [
            [one["service"], one["rate_per_worker"], one["from"], one["workers_now"], _span(one), one["workers_needed"]]
            for one in document["services"]
        ],
    )
    disk = render_table(
        ["table", "rows of an image", "bytes of a row", "from", "in all"],
        [
            [one["table"], one["rows_per_image"], one["bytes_per_row"], one["from"], shown(one["bytes"])]
            for one in document["disk"]
        ],
    )
    held = document["queues"]
    return (
        f"{document['images']:,} images; where nobody works now, with one worker\n\n{services}\n{disk}"
        f"{shown(document['disk_bytes'])} in all; have half as much again free for WAL and dead rows\n\n"
        f"RabbitMQ: up to {held['jobs']:,} jobs wait, {shown(held['memory_bytes'])} of memory and "
        f"{shown(held['disk_bytes'])} of disk on each node that holds them\n"
    )


def _span(one: Mapping[str, Any]) -> str | None:
    return eta_text(one["hours"] * 3600)
