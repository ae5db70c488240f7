"""Images as a list shows them: what they are, what they show, and how far services agree on that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

NEWEST = 2**63 - 1
MOST_COMPARED = 500
"""Among so many of the newest images those are found on which services disagree: no index knows that."""


@dataclass(frozen=True)
class GalleryImage:
    """`doubt` grows with each emoji on which services disagree: 0 where all is certain; None without a vote. Answers
    and votes of a copy are its original's."""

    image_id: int
    name: str
    group: str | None
    width: int | None
    height: int | None
    copy_of: int | None
    created_at: datetime
    answered: int
    failed: int
    voted: bool
    votes: tuple[str, ...]
    doubt: float | None


async def newest_of_gallery(
    pool: Pool, settings: DatabaseSettings, group: str | None, before: int | None, limit: int
) -> list[GalleryImage]:
    """The newest before the one with this id, of a group or of all."""
    async with transaction(pool, settings) as connection:
        ids = await _newest(connection, group, NEWEST if before is None else before, limit)
        return await _read(connection, ids)


async def most_doubtful(pool: Pool, settings: DatabaseSettings, group: str | None, limit: int) -> list[GalleryImage]:
    """Among the newest ones, those first on which services disagree most."""
    async with transaction(pool, settings) as connection:
        found = await _read(connection, await _newest(connection, group, NEWEST, MOST_COMPARED))
    return by_doubt(found)[:limit]


def by_doubt(images: Sequence[GalleryImage]) -> list[GalleryImage]:
    """Those first on which services disagree most."""
    return sorted(images, key=lambda one: (-(one.doubt or 0.0), -one.image_id))


async def read_gallery(pool: Pool, settings: DatabaseSettings, image_ids: Sequence[int]) -> list[GalleryImage]:
    """These, in this order, as far as they are still there."""
    async with transaction(pool, settings) as connection:
        return await _read(connection, image_ids)


async def _newest(connection: Connection, group: str | None, before: int, limit: int) -> list[int]:
    return [row["image_id"] for row in await connection.fetch(queries()["newest_image_ids"], before, limit, group)]


async def _read(connection: Connection, image_ids: Sequence[int]) -> list[GalleryImage]:
    rows = await connection.fetch(queries()["list_gallery"], list(image_ids))
    return [
        GalleryImage(
            image_id=row["image_id"],
            name=row["image_filename"],
            group=row["image_group"],
            width=row["width"],
            height=row["height"],
            copy_of=row["original_id"],
            created_at=row["image_created"],
            answered=row["answered"],
            failed=row["failed"],
            voted=row["voted"],
            votes=tuple(one for one in row["votes"] if one),
            doubt=row["doubt"],
        )
        for row in rows
    ]
