"""Leases on stale images, for stages that call services: taken, renewed while calls run, ended by the transaction that
writes. No transaction is open meanwhile; the lease of a process that was killed expires, and its images are due again.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import Stage
from windmill.derive.debounce import read_debounces
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class Lease:
    """Images that this process alone works on until the lease expires, each with the number of failures so far.
    `found` also counts images that were put off."""

    token: uuid.UUID
    tries: dict[int, int]
    found: int


async def take_lease(pool: Pool, settings: DerivationSettings, stage: Stage, most: int) -> Lease:
    """Lease up to `most` stale images that are due and free, perhaps none."""
    sql = queries()
    token = uuid.uuid4()
    async with transaction(pool, settings) as connection:
        rows = await connection.fetch(sql["lease_stale_images"], stage, most)
        if not rows:
            return Lease(token, {}, 0)
        locked = await connection.fetch(sql["lock_free_images"], stage, [row["image_id"] for row in rows])
        free = {row["image_id"] for row in locked}
        fresh = [row["image_id"] for row in rows if not row["deferred"] and row["image_id"] in free]
        debounces = await read_debounces(connection, settings, stage, fresh)
        if debounces:
            seconds = [one.seconds for one in debounces.values()]
            await connection.execute(sql["put_marks_off"], stage, list(debounces), seconds)
        ready = sorted(free - debounces.keys())
        leased = await connection.fetch(sql["lease_images"], stage, ready, token, settings.lease_seconds)
    return Lease(token, {row["image_id"]: row["tries"] for row in leased}, len(rows))


async def renew_lease(
    pool: Pool, settings: DerivationSettings, stage: Stage, token: uuid.UUID, image_ids: Sequence[int]
) -> None:
    """Extend the lease on these images by `lease_seconds` from now."""
    async with transaction(pool, settings) as connection:
        await connection.execute(queries()["renew_lease"], stage, token, settings.lease_seconds, list(image_ids))


async def hold_lease(connection: Connection, stage: Stage, image_id: int, token: uuid.UUID) -> bool:
    """Whether the lease is still ours, and stays so until the transaction ends. Call it before writing: a process that
    was frozen past its lease must not overwrite what another has finished meanwhile."""
    return bool(await connection.fetch(queries()["hold_lease"], stage, image_id, token))


async def end_lease(connection: Connection, stage: Stage, image_id: int, token: uuid.UUID) -> None:
    """The image is done; call it in the transaction that writes its rows."""
    await connection.execute(queries()["end_lease"], stage, image_id, token)


async def postpone_lease(
    connection: Connection, stage: Stage, image_id: int, token: uuid.UUID, seconds: float, *, failed: bool = False
) -> None:
    """Give the image back unfinished, due again in `seconds`."""
    await connection.execute(queries()["put_lease_off"], stage, image_id, token, seconds, int(failed))
