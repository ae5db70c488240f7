"""How long a number of images takes, how many workers a deadline needs, and what all of it weighs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["workers", "answers", "assumed", "measured"]
"""Whence a number is: workers that have their hands full, times in `results`, tables as they are, or nowhere."""

ASSUMED_SECONDS = 0.25
"""For one answer, where nobody has given any."""
ASSUMED_SECONDS_OF_SET: Mapping[str, float] = {"captioners": 2.0, "light": 0.1}

ENOUGH_ROWS = 1_000
"""In fewer rows the pages that a table begins with weigh more than what is in them."""

BROKER_BYTES = 300 * 2**20
JOB_MEMORY_BYTES = 60
JOB_DISK_BYTES = 950
"""Of RabbitMQ 3.10 itself with a write-ahead log of 64 MiB, and of one message in one quorum queue."""


@dataclass(frozen=True)
class Pace:
    """Images in a second that one worker process puts through its service."""

    per_worker: float
    source: Source


def pace(busy_rates: Sequence[float], seconds: float | None, concurrency: int, assumed_seconds: float) -> Pace:
    """The mean of workers that wait for nothing but their service; else as its answers say; else as assumed."""
    rates = [rate for rate in busy_rates if rate > 0]
    if rates:
        return Pace(sum(rates) / len(rates), "workers")
    if seconds is not None and seconds > 0:
        return Pace(concurrency / seconds, "answers")
    return Pace(concurrency / assumed_seconds, "assumed")


def assumed_seconds(sets: Iterable[str]) -> float:
    """Of a service that belongs to these sets."""
    return next((ASSUMED_SECONDS_OF_SET[one] for one in sets if one in ASSUMED_SECONDS_OF_SET), ASSUMED_SECONDS)


def seconds_for(images: int, per_worker: float, workers: int) -> float:
    return images / (per_worker * workers)


def workers_for(images: int, per_worker: float, seconds: float) -> int:
    """The fewest that are done within so many seconds."""
    return max(1, math.ceil(images / (per_worker * seconds) - 1e-9)) if images else 0


@dataclass(frozen=True)
class Weight:
    """What one image leaves in one table, indexes included."""

    rows_per_image: float
    bytes_per_row: float
    source: Source

    @property
    def bytes_per_image(self) -> float:
        return self.rows_per_image * self.bytes_per_row


ASSUMED_WEIGHTS: Mapping[str, Weight] = {
    "images": Weight(1, 300, "assumed"),
    "results": Weight(1, 1_500, "assumed"),
    "merges": Weight(1, 300, "assumed"),
    "merged_boxes": Weight(10, 1_000, "assumed"),
    "postprocessing": Weight(15, 750, "assumed"),
    "consensus": Weight(1, 5_000, "assumed"),
}
"""Of `results` for each service; the rest about as the drawn scenes of the farm leave it, which are full of things."""


@dataclass(frozen=True)
class Measured:
    """A table as it is."""

    rows: float
    size: float


def weights(tables: Mapping[str, Measured], services: int) -> dict[str, Weight]:
    """What each table will weigh for an image; the derived ones by how many of their rows go to a merged image."""
    merged = tables.get("merges", Measured(0, 0)).rows
    per_image = {"images": 1.0, "results": float(services), "merges": 1.0, "consensus": 1.0}
    return {
        name: _weight(assumed, tables.get(name), per_image.get(name), merged)
        for name, assumed in _assumed(services).items()
    }


def _assumed(services: int) -> dict[str, Weight]:
    results = Weight(services, ASSUMED_WEIGHTS["results"].bytes_per_row, "assumed")
    return {**ASSUMED_WEIGHTS, "results": results}


def _weight(assumed: Weight, table: Measured | None, per_image: float | None, merged: float) -> Weight:
    if table is None or table.rows < ENOUGH_ROWS:
        return assumed
    if per_image is None:
        if merged < ENOUGH_ROWS:
            return assumed
        per_image = table.rows / merged
    return Weight(per_image, table.size / table.rows, "measured")


@dataclass(frozen=True)
class Queues:
    """The broker, when a producer is as far ahead of the workers as it may."""

    jobs: int
    memory_bytes: int
    disk_bytes: int


def queues(images: int, services: int, most_queued: int) -> Queues:
    jobs = min(images, most_queued) * services
    return Queues(jobs, BROKER_BYTES + jobs * JOB_MEMORY_BYTES, jobs * JOB_DISK_BYTES)
