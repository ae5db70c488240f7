"""Capacity planning: how long a number of images takes, how many workers a deadline needs, how much space it takes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

FigureSource = Literal["workers", "answers", "assumed", "measured"]
"""Where a figure comes from: busy workers, processing times in `results`, an assumption, or the size of a table."""

ASSUMED_SECONDS = 0.25
"""Per answer, for a service without measured answers."""
ASSUMED_SECONDS_OF_SET: Mapping[str, float] = {"captioners": 2.0, "light": 0.1}

MIN_MEASURED_ROWS = 1_000
"""A smaller table is not measured: its first pages outweigh its rows."""

BROKER_BYTES = 300 * 2**20
JOB_MEMORY_BYTES = 60
JOB_DISK_BYTES = 950
"""RabbitMQ 3.10 itself with a write-ahead log of 64 MiB, and one message in one quorum queue."""


@dataclass(frozen=True)
class Throughput:
    """Images per second that one worker process puts through its service."""

    per_worker: float
    source: FigureSource


def throughput(
    busy_rates: Sequence[float], seconds: float | None, concurrency: int, assumed_seconds: float
) -> Throughput:
    """The mean rate of busy workers; without any, from the time per answer; without that, from the assumed time."""
    rates = [rate for rate in busy_rates if rate > 0]
    if rates:
        return Throughput(sum(rates) / len(rates), "workers")
    if seconds is not None and seconds > 0:
        return Throughput(concurrency / seconds, "answers")
    return Throughput(concurrency / assumed_seconds, "assumed")


def assumed_seconds(sets: Iterable[str]) -> float:
    """The assumed seconds per answer of a service in these sets."""
    return next((ASSUMED_SECONDS_OF_SET[one] for one in sets if one in ASSUMED_SECONDS_OF_SET), ASSUMED_SECONDS)


def duration_seconds(images: int, per_worker: float, workers: int) -> float:
    return images / (per_worker * workers)


def workers_needed(images: int, per_worker: float, seconds: float) -> int:
    """The smallest number of workers that finishes within `seconds`."""
    return max(1, math.ceil(images / (per_worker * seconds) - 1e-9)) if images else 0


@dataclass(frozen=True)
class TableFootprint:
    """The rows and bytes that one image adds to one table, indexes included."""

    rows_per_image: float
    bytes_per_row: float
    source: FigureSource

    @property
    def bytes_per_image(self) -> float:
        return self.rows_per_image * self.bytes_per_row


ASSUMED_FOOTPRINTS: Mapping[str, TableFootprint] = {
    "images": TableFootprint(1, 300, "assumed"),
    "results": TableFootprint(1, 1_500, "assumed"),
    "merges": TableFootprint(1, 2_500, "assumed"),
    "enrichments": TableFootprint(1, 5_500, "assumed"),
    "votes": TableFootprint(1, 3_600, "assumed"),
    "picture_hashes": TableFootprint(1, 110, "assumed"),
    "image_search": TableFootprint(1, 400, "assumed"),
}
"""`results` is per service; the others are about what the crowded scenes of the demo farm produce."""


@dataclass(frozen=True)
class MeasuredTable:
    """The current size of a table."""

    rows: float
    size: float


def table_footprints(tables: Mapping[str, MeasuredTable], services: int) -> dict[str, TableFootprint]:
    """What each table will hold per image; for derived tables from their rows per merged image."""
    merged = tables.get("merges", MeasuredTable(0, 0)).rows
    once = ("images", "merges", "votes", "picture_hashes", "image_search")
    per_image = {"results": float(services), **dict.fromkeys(once, 1.0)}
    return {
        name: _footprint(assumed, tables.get(name), per_image.get(name), merged)
        for name, assumed in _assumed(services).items()
    }


def _assumed(services: int) -> dict[str, TableFootprint]:
    results = TableFootprint(services, ASSUMED_FOOTPRINTS["results"].bytes_per_row, "assumed")
    return {**ASSUMED_FOOTPRINTS, "results": results}


def _footprint(
    assumed: TableFootprint, table: MeasuredTable | None, per_image: float | None, merged: float
) -> TableFootprint:
    if table is None or table.rows < MIN_MEASURED_ROWS:
        return assumed
    if per_image is None:
        if merged < MIN_MEASURED_ROWS:
            return assumed
        per_image = table.rows / merged
    return TableFootprint(per_image, table.size / table.rows, "measured")


@dataclass(frozen=True)
class QueueLoad:
    """What the broker holds when a producer is as far ahead of the workers as allowed."""

    jobs: int
    memory_bytes: int
    disk_bytes: int


def queue_load(images: int, services: int, most_queued: int) -> QueueLoad:
    jobs = min(images, most_queued) * services
    return QueueLoad(jobs, BROKER_BYTES + jobs * JOB_MEMORY_BYTES, jobs * JOB_DISK_BYTES)
