"""Images that look alike, by the perceptual hash of the service `metadata`."""

from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.search.hits import HitRecord, read_hits
from windmill.storage.transactions import transaction

MOST_DISTANCE = 3
"""Bits of 64. Of hashes that differ more, no quarter need be the same, so no index finds all of them."""


@dataclass(frozen=True)
class SimilarImages:
    """The most similar first, each with the number of bits that differ; `hashed`: the image itself has a hash."""

    hits: Sequence[tuple[HitRecord, int]]
    hashed: bool


async def find_similar(
    pool: Pool, settings: DatabaseSettings, image_id: int, distance: int, limit: int
) -> SimilarImages:
    """Raises NOT_FOUND for an image that is not indexed."""
    async with transaction(pool, settings) as connection:
        row = await connection.fetchrow(queries()["find_hash"], image_id)
        if row is None:
            raise WindmillError("NOT_FOUND", f"image {image_id} is not indexed", "the stage index does it")
        found = await connection.fetch(queries()["find_similar_images"], image_id, distance, limit)
        distances = {one["image_id"]: one["distance"] for one in found}
        ordered = sorted(distances, key=lambda one: (distances[one], -one))
        hits = [(one, distances[one.image.image_id]) for one in await read_hits(connection, ordered)]
    return SimilarImages(hits, row["phash"] is not None)
