"""A slow walk over all images, range by range, that marks those whose derived rows are not what they should be.

It is how a stage catches up with images that were there before it, how `repair` finds what slipped, and how
`recompute` has things done anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import STAGES, Stage
from windmill.process.runner import pause
from windmill.storage.database import Connection, converted
from windmill.storage.queries import queries

PAGE_IMAGES = 1_000
MOST_OPEN = 10_000
"""With so many marks open the walk waits: what is marked has to be stored until somebody looks at it."""
WAIT_SECONDS = 1.0
_MOST_ID = 2**63 - 1


@dataclass(frozen=True)
class Wanted:
    """Which images are marked. With nothing set: those whose derived rows do not rest on what is there now."""

    image_group: str | None = None
    image_ids: tuple[int, ...] | None = None
    everything: bool = False
    older_than: int | None = None
    calibration: str | None = None
    """Those computed with another calibration than this one."""


@dataclass(frozen=True)
class Page:
    """A part of the walk: the greatest image id that was looked at (None at the end), and what was found."""

    last: int | None
    looked_at: int
    marked: int


async def walk(
    connection: Connection, settings: DatabaseSettings, stage: Stage, wanted: Wanted, stop: asyncio.Event, *, dry: bool
) -> AsyncGenerator[Page, None]:
    """Page after page, each marked in a transaction of its own; waits while there is no room for marks."""
    after = 0
    while not stop.is_set():
        with converted(settings):
            if not dry and not await room(connection, stage):
                await pause(stop, WAIT_SECONDS)
                continue
            async with connection.transaction():
                page = await mark_page(connection, stage, wanted, after, dry=dry)
        if page.last is None:
            return
        after = page.last
        yield page


async def mark_page(connection: Connection, stage: Stage, wanted: Wanted, after: int, *, dry: bool = False) -> Page:
    """Look at the images behind `after`, a page of them, and mark those that are wanted."""
    ids = await _next_ids(connection, wanted, after)
    if not ids:
        return Page(None, 0, 0)
    found = await _wanted_among(connection, stage, wanted, ids)
    if found and not dry:
        forget = STAGES[stage].forget_query
        if forget and (wanted.everything or wanted.older_than is not None):
            await connection.execute(queries()[forget], found, wanted.older_than)
        await connection.execute(queries()["mark_images"], stage, found)
    return Page(ids[-1], len(ids), len(found))


async def _next_ids(connection: Connection, wanted: Wanted, after: int) -> list[int]:
    sql = queries()
    if wanted.image_ids is not None:
        return sorted(one for one in wanted.image_ids if one > after)[:PAGE_IMAGES]
    if wanted.image_group is not None:
        rows = await connection.fetch(sql["next_image_ids"], after, _MOST_ID, wanted.image_group, PAGE_IMAGES)
    else:
        rows = await connection.fetch(sql["next_answered_images"], after, PAGE_IMAGES)
    return [row["image_id"] for row in rows]


async def _wanted_among(connection: Connection, stage: Stage, wanted: Wanted, ids: Sequence[int]) -> list[int]:
    if wanted.everything:
        return list(ids)
    spec = STAGES[stage]
    more = [wanted.older_than, wanted.calibration] if spec.calibrated else [wanted.older_than]
    rows = await connection.fetch(queries()[spec.stale_query], list(ids), *more)
    return [row["image_id"] for row in rows]


async def room(connection: Connection, stage: Stage) -> bool:
    """Whether more marks may be made."""
    return int(await connection.fetchval(queries()["count_marks"], stage, MOST_OPEN)) < MOST_OPEN
