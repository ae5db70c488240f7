"""The sweep: walks all images page by page and marks those whose derived rows are stale. Used by the backfill of a new
stage, and by the commands `repair` and `recompute`.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import STAGES, Stage
from windmill.process.runner import pause
from windmill.storage.database import Connection, translate_errors
from windmill.storage.queries import queries

PAGE_IMAGES = 1_000
MAX_OPEN_MARKS = 10_000
"""Back-pressure: with this many open marks the sweep waits, so that the table of marks stays small."""
NO_ROOM_SECONDS = 1.0
_MAX_ID = 2**63 - 1


@dataclass(frozen=True)
class SweepFilter:
    """Which images are marked. By default those whose derived rows were made of other inputs than the present ones."""

    image_group: str | None = None
    image_ids: tuple[int, ...] | None = None
    everything: bool = False
    older_than: int | None = None
    calibration: str | None = None
    """Also those computed with another calibration than this version."""


@dataclass(frozen=True)
class SweepPage:
    """A page of the sweep: its greatest image id (None at the end), and how many images were checked and marked."""

    last: int | None
    looked_at: int
    marked: int


async def sweep(
    connection: Connection,
    settings: DatabaseSettings,
    stage: Stage,
    criteria: SweepFilter,
    stop: asyncio.Event,
    *,
    dry: bool,
) -> AsyncGenerator[SweepPage, None]:
    """Sweep page by page, each in its own transaction; waits while there is no room for marks."""
    after = 0
    while not stop.is_set():
        with translate_errors(settings):
            if not dry and not await has_room_for_marks(connection, stage):
                await pause(stop, NO_ROOM_SECONDS)
                continue
            async with connection.transaction():
                page = await mark_page(connection, stage, criteria, after, dry=dry)
        if page.last is None:
            return
        after = page.last
        yield page


async def mark_page(
    connection: Connection, stage: Stage, criteria: SweepFilter, after: int, *, dry: bool = False
) -> SweepPage:
    """Check one page of images above `after`, and mark those that match the filter."""
    ids = await _next_ids(connection, stage, criteria, after)
    if not ids:
        return SweepPage(None, 0, 0)
    found = await _stale_among(connection, stage, criteria, ids)
    if found and not dry:
        forget = STAGES[stage].forget_query
        if forget and (criteria.everything or criteria.older_than is not None):
            await connection.execute(queries()["convert_images"], found)
            await connection.execute(queries()[forget], found, criteria.older_than)
        await connection.execute(queries()["mark_images"], stage, found)
    return SweepPage(ids[-1], len(ids), len(found))


async def _next_ids(connection: Connection, stage: Stage, criteria: SweepFilter, after: int) -> list[int]:
    sql = queries()
    if criteria.image_ids is not None:
        return sorted(one for one in criteria.image_ids if one > after)[:PAGE_IMAGES]
    if criteria.image_group is not None:
        rows = await connection.fetch(sql["next_image_ids"], after, _MAX_ID, criteria.image_group, PAGE_IMAGES)
    else:
        query = sql["next_registered_images"] if STAGES[stage].of_all_images else sql["next_answered_images"]
        rows = await connection.fetch(query, after, PAGE_IMAGES)
    return [row["image_id"] for row in rows]


async def _stale_among(connection: Connection, stage: Stage, criteria: SweepFilter, ids: Sequence[int]) -> list[int]:
    if criteria.everything:
        return list(ids)
    spec = STAGES[stage]
    more = [criteria.older_than, criteria.calibration] if spec.calibrated else [criteria.older_than]
    rows = await connection.fetch(queries()[spec.stale_query], list(ids), *more)
    return [row["image_id"] for row in rows]


async def has_room_for_marks(connection: Connection, stage: Stage) -> bool:
    """Whether the backlog of the stage leaves room for more marks."""
    return int(await connection.fetchval(queries()["count_marks"], stage, MAX_OPEN_MARKS)) < MAX_OPEN_MARKS
