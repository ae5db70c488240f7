"""Open work of the post-processors: which images are stale, and who looks at which.

A stage that computes claims its images inside the transaction in which it also writes; a stage that calls services
leases them, works without a transaction, and ends the lease with what it writes. docs/decisions/0015 says why this
leaves nothing stale.
"""

import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from windmill.core.services import Fleet
from windmill.core.setting_parts import DatabaseSettings, DerivationSettings
from windmill.core.stages import STAGES, Stage
from windmill.kernels.flow.backoff import delay_for
from windmill.kernels.flow.debounce import seconds_to_wait
from windmill.storage.database import CONNECT_SECONDS, Connection, Pool, converted
from windmill.storage.queries import queries

LOCK_SECONDS = 5.0
FIRST_SECONDS, MOST_SECONDS = 10.0, 3_600.0


@dataclass(frozen=True)
class Claim:
    """Images that this transaction has for itself, in ascending order, and how often each went wrong before; `found`
    counts those that are to wait, too."""

    connection: Connection
    tries: dict[int, int]
    found: int

    @property
    def image_ids(self) -> list[int]:
        return list(self.tries)


@dataclass(frozen=True)
class Lease:
    """Images that nobody else looks at until the lease runs out, and how often each went wrong before; `found` counts
    those that are to wait, too."""

    token: uuid.UUID
    tries: dict[int, int]
    found: int


@asynccontextmanager
async def transaction(pool: Pool, settings: DatabaseSettings) -> AsyncIterator[Connection]:
    """What is done inside is committed at the end, or not at all. Each statement sees what others have committed
    until then: the protocol needs that."""
    with converted(settings):
        async with (
            pool.acquire(timeout=CONNECT_SECONDS) as connection,
            connection.transaction(isolation="read_committed"),
        ):
            yield connection


@asynccontextmanager
async def claim(pool: Pool, settings: DerivationSettings, stage: Stage, most: int) -> AsyncIterator[Claim]:
    """Images that are due, perhaps none; their marks are gone when the block ends well, and else are still there."""
    sql = queries()
    async with transaction(pool, settings) as connection:
        rows = await connection.fetch(sql["claim_stale_images"], stage, most)
        tries = {row["image_id"]: row["tries"] for row in rows}
        if tries:
            await lock_images(connection, stage, list(tries))
            waits = await _waits(connection, settings, stage, [row["image_id"] for row in rows if not row["deferred"]])
            later = {one: wait.seconds for one, wait in waits.items() if not wait.looked_after}
            if later:
                await connection.execute(sql["defer_images"], stage, list(later), list(later.values()))
            tries = {image_id: count for image_id, count in tries.items() if image_id not in waits}
        if tries:
            await take_marks(connection, stage, list(tries))
            await write_as(connection, stage)
        yield Claim(connection, tries, len(rows))


@dataclass(frozen=True)
class _Wait:
    """For how long an image is not to be looked at, and whether somebody looks by then anyway."""

    seconds: float
    looked_after: bool


async def _waits(
    connection: Connection, settings: DerivationSettings, stage: Stage, image_ids: Sequence[int]
) -> dict[int, _Wait]:
    """Those of the images that are to wait because more is expected of them."""
    if not image_ids:
        return {}
    sql, spec, ids = queries(), STAGES[stage], list(image_ids)
    rows = await connection.fetch(sql["read_waits"], stage, spec.awaits_services_of, ids, list(spec.awaits_stages))
    expecting = [row["image_id"] for row in rows if row["more_to_come"]]
    seen = await connection.fetch(sql[spec.looked_at_query], expecting) if expecting else []
    looked_at = {row["image_id"] for row in seen}
    waits = {}
    for row in rows:
        seconds = seconds_to_wait(
            more_to_come=row["more_to_come"],
            looked_at_before=row["image_id"] in looked_at,
            age=row["age"],
            least=settings.debounce_milliseconds / 1000,
            most=settings.debounce_most_seconds,
        )
        if seconds:
            looks_in = row["looks_in"]
            waits[row["image_id"]] = _Wait(seconds, looks_in is not None and looks_in <= seconds)
    return waits


async def write_as(connection: Connection, stage: Stage) -> None:
    """What this transaction writes was computed by the stage; rows that others write are computed anew."""
    await connection.execute(queries()["write_as_stage"], stage)


async def take_marks(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> None:
    """Have the images for ourselves, with all that is marked of them until now."""
    await lock_images(connection, stage, image_ids)
    await connection.execute(queries()["take_further_marks"], stage, list(image_ids))


async def lock_images(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> None:
    """Wait until nobody else works on these images (ascending) for the stage, and keep others waiting until the
    transaction ends. To be called before anything is read."""
    await connection.execute(queries()["lock_images"], stage, list(image_ids))


def seconds_after_failures(tries: int) -> float:
    """For how long to leave an image alone that went wrong for the `tries`th time."""
    return delay_for(tries, first=FIRST_SECONDS, most=MOST_SECONDS, spread=0.2, dice=random.random())


async def postpone(connection: Connection, stage: Stage, image_id: int, seconds: float, tries: int) -> None:
    """Look at the image again later; it went wrong for the `tries`th time."""
    await connection.execute(queries()["postpone_image"], stage, image_id, seconds, tries)


async def lease(pool: Pool, settings: DerivationSettings, stage: Stage, most: int) -> Lease:
    """Images that are due and not leased already, perhaps none."""
    sql = queries()
    token = uuid.uuid4()
    async with transaction(pool, settings) as connection:
        rows = await connection.fetch(sql["lease_stale_images"], stage, most)
        if not rows:
            return Lease(token, {}, 0)
        free = await connection.fetch(sql["lock_free_images"], stage, [row["image_id"] for row in rows])
        ours = {row["image_id"] for row in free}
        fresh = [row["image_id"] for row in rows if not row["deferred"] and row["image_id"] in ours]
        waits = {one: wait.seconds for one, wait in (await _waits(connection, settings, stage, fresh)).items()}
        if waits:
            await connection.execute(sql["put_marks_off"], stage, list(waits), list(waits.values()))
        go = sorted(ours - waits.keys())
        leased = await connection.fetch(sql["lease_images"], stage, go, token, settings.lease_seconds)
    return Lease(token, {row["image_id"]: row["tries"] for row in leased}, len(rows))


async def renew(
    pool: Pool, settings: DerivationSettings, stage: Stage, token: uuid.UUID, image_ids: Sequence[int]
) -> None:
    """Keep what is leased for longer."""
    async with transaction(pool, settings) as connection:
        await connection.execute(queries()["renew_lease"], stage, token, settings.lease_seconds, list(image_ids))


async def end_lease(connection: Connection, stage: Stage, image_id: int, token: uuid.UUID) -> None:
    """The image is done, in the transaction in which what was found out is written."""
    await connection.execute(queries()["end_lease"], stage, image_id, token)


async def put_off(
    connection: Connection, stage: Stage, image_id: int, token: uuid.UUID, seconds: float, *, failed: bool = False
) -> None:
    """The image is not done; look at it again later."""
    await connection.execute(queries()["put_lease_off"], stage, image_id, token, seconds, int(failed))


async def introduce(pool: Pool, settings: DerivationSettings, fleet: Fleet, stage: Stage) -> bool:
    """Let the database know what feeds the stage. Returns whether that is news: then all images are to be looked at
    once, and the database remembers how far that is."""
    services = tuple(sorted(fleet.feeding(stage)))
    if await read_feeds(pool, settings, stage) == services:
        return False
    sql = queries()
    async with transaction(pool, settings) as connection:
        await connection.execute(sql["limit_waiting_for_locks"], LOCK_SECONDS)
        await connection.execute(sql["stop_writers_for_a_moment"])
        await connection.execute(sql["write_stage"], stage)
        await connection.execute(sql["clear_feeds"], stage)
        await connection.execute(sql["write_feeds"], stage, list(services))
    return True


async def read_feeds(pool: Pool, settings: DerivationSettings, stage: Stage) -> tuple[str, ...] | None:
    """The services that feed the stage as the database knows it; None for one that no post-processor ever ran."""
    with converted(settings):
        row = await pool.fetchrow(queries()["read_feeds"], stage)
    return None if row is None else tuple(row["services"])
