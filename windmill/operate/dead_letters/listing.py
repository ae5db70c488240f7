"""Listing dead letters: messages are peeked at in the failed queues and go back in their order."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill import broker
from windmill.core.setting_parts import BrokerSettings, DatabaseSettings
from windmill.core.settings import Settings
from windmill.operate.dead_letters.dead_letter import DeadLetter, DeadLetterFilter, FailureKey, read_dead_letter
from windmill.operate.dead_letters.limits import JobLimit
from windmill.storage import database
from windmill.storage.queries import queries

NAME = "windmill failed"
"""The name of its connections."""


@dataclass
class DeadLetterListing:
    """Jobs that match, and how many by failure. Each failed queue `held` so many messages; beyond the first
    `looked_at` of them none was read."""

    jobs: list[DeadLetter] = field(default_factory=list)
    counts: Counter[FailureKey] = field(default_factory=Counter)
    held: dict[str, int] = field(default_factory=dict)
    looked_at: dict[str, int] = field(default_factory=dict)
    images: set[int] = field(default_factory=set)
    """Those that any of the counted jobs is of."""


@dataclass(frozen=True)
class ImageDeadLetters:
    """The dead letters of one image, with its rows in `results`."""

    listing: DeadLetterListing
    results: Sequence[Mapping[str, Any]]


async def list_dead_letters(
    settings: BrokerSettings,
    services: Sequence[str],
    selection: DeadLetterFilter,
    stop: asyncio.Event,
    *,
    scan: int,
    keep: int,
    limit: int | None = None,
) -> DeadLetterListing:
    """Peek at the first `scan` messages of each failed queue; count up to `limit` that match and keep `keep`."""
    remaining = JobLimit(limit)
    async with broker.connection(settings, NAME) as opened:
        found = DeadLetterListing(held=await broker.depths(opened, settings, services, queue=broker.failed_queue))
        for service in services:
            found.looked_at[service] = min(found.held[service], scan)

            def see(message: broker.HeldMessage, service: str = service) -> None:
                one = read_dead_letter(service, message.body, message.headers)
                if selection.matches(one) and not remaining.reached():
                    remaining.take()
                    found.counts[one.service, one.code] += 1
                    found.images |= {one.image_id} if one.image_id is not None else set()
                    if len(found.jobs) < keep:
                        found.jobs.append(one)

            if found.held[service] and not stop.is_set():
                await broker.peek(opened, settings, broker.failed_queue(settings, service), scan, see, stop)
    return found


async def show_dead_letters(
    settings: Settings, services: Sequence[str], image_id: int, stop: asyncio.Event, *, scan: int
) -> ImageDeadLetters:
    """Everything that is known of one image's dead letters."""
    selection = DeadLetterFilter(image_ids=frozenset([image_id]))
    listing = await list_dead_letters(settings, services, selection, stop, scan=scan, keep=broker.MAX_UNACKNOWLEDGED)
    return ImageDeadLetters(listing, await _results_of(settings, image_id))


async def _results_of(settings: DatabaseSettings, image_id: int) -> list[Mapping[str, Any]]:
    async with database.connection(settings, NAME) as connection:
        return [dict(row) for row in await connection.fetch(queries()["results_of_image"], image_id)]
