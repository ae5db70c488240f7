"""Claims on stale images, for stages that compute: the transaction that claims images also writes their rows, so a
crash leaves them stale. docs/decisions/0015 gives the proof; stages that call services use windmill.derive.leases.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import Stage
from windmill.derive.debounce import read_debounces
from windmill.derive.transactions import lock_images
from windmill.kernels.flow.retry_backoff import backoff_delay
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 10.0, 3_600.0


@dataclass(frozen=True)
class Claim:
    """Images that this transaction has locked, in ascending order, each with the number of failures so far. `found`
    also counts images that were put off."""

    connection: Connection
    tries: dict[int, int]
    found: int

    @property
    def image_ids(self) -> list[int]:
        return list(self.tries)


@asynccontextmanager
async def claim_stale_images(pool: Pool, settings: DerivationSettings, stage: Stage, most: int) -> AsyncIterator[Claim]:
    """Claim up to `most` stale images that are due, perhaps none. Their marks are deleted if the block ends well."""
    sql = queries()
    async with transaction(pool, settings) as connection:
        rows = await connection.fetch(sql["claim_stale_images"], stage, most)
        tries = {row["image_id"]: row["tries"] for row in rows}
        if tries:
            await lock_images(connection, stage, list(tries))
            unfailed = [image_id for image_id, count in tries.items() if not count]
            deferred = {row["image_id"] for row in rows if row["deferred"]}
            debounces = await read_debounces(connection, settings, stage, unfailed, deferred)
            later = {image_id: one.seconds for image_id, one in debounces.items() if not one.due_anyway}
            if later:
                await connection.execute(sql["defer_images"], stage, list(later), list(later.values()))
            tries = {image_id: count for image_id, count in tries.items() if image_id not in debounces}
        if tries:
            await connection.execute(queries()["take_further_marks"], stage, list(tries))
        yield Claim(connection, tries, len(rows))


async def take_stale_marks(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> None:
    """Lock the images and delete every mark that they have by now. From then on triggers know that the stage writes."""
    await lock_images(connection, stage, image_ids)
    await connection.execute(queries()["take_further_marks"], stage, list(image_ids))


def retry_seconds(tries: int) -> float:
    """How long to leave an image alone after its `tries`th failure."""
    return backoff_delay(tries, first=FIRST_RETRY_SECONDS, maximum=MAX_RETRY_SECONDS, jitter=0.2, dice=random.random())


async def postpone_image(connection: Connection, stage: Stage, image_id: int, seconds: float, tries: int) -> None:
    """Mark the image stale again, due in `seconds`, after its `tries`th failure."""
    await connection.execute(queries()["postpone_image"], stage, image_id, seconds, tries)
