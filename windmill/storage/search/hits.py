"""What is told of images that were found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windmill.kernels.query.matching import SearchedImage
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.search.rows import read_search_rows


@dataclass(frozen=True)
class HitRecord:
    """An image with where it is; one that was never registered has no name."""

    image: SearchedImage
    name: str
    image_path: str | None
    image_url: str | None
    group: str | None


async def read_hits(connection: Connection, image_ids: Sequence[int]) -> list[HitRecord]:
    """In the order of the ids; those that are gone meanwhile are left out."""
    sql, ids = queries(), list(image_ids)
    rows = await read_search_rows(connection, ids)
    images = {row["image_id"]: row for row in await connection.fetch(sql["read_hit_images"], ids)}
    groups = {row["image_id"]: row["groups"] for row in await connection.fetch(sql["read_hit_groups"], ids)}
    found = []
    for one in (one for one in ids if one in rows):
        searched = SearchedImage(one, rows[one].row, frozenset(groups.get(one, ())))
        found.append(_record(searched, images.get(one)))
    return found


def _record(searched: SearchedImage, image: Any) -> HitRecord:  # noqa: ANN401 - a record of the driver
    if image is None:
        return HitRecord(searched, "", None, None, None)
    return HitRecord(searched, *(image[one] for one in ("image_filename", "image_path", "image_url", "image_group")))
