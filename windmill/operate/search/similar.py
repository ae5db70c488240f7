"""Images that look alike: by a vector that a service has answered, or by the perceptual hash of the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.search.alike import find_near
from windmill.storage.search.hits import HitRecord, read_hits
from windmill.storage.transactions import transaction

MOST_DISTANCE = 3
"""Bits of 64. Of hashes that differ more, no quarter need be the same, so no index finds all of them."""
HASH = "hash"
"""What images are compared by, else the name of a service."""


@dataclass(frozen=True)
class SimilarImages:
    """The most similar first, each with its distance: the number of bits that differ, or by the cosine from 0 to 2.
    `hashed`: the image itself has a hash. `ways`: what it can be compared by, `by` what it was. Not `complete`: only
    the newest were compared."""

    hits: Sequence[tuple[HitRecord, float]]
    hashed: bool
    by: str = HASH
    ways: Sequence[str] = ()
    complete: bool = True


async def find_similar(
    pool: Pool, settings: DatabaseSettings, image_id: int, distance: int, limit: int, by: str = ""
) -> SimilarImages:
    """By a vector, if the image has one, unless something else is asked for. `distance` is that of hashes. Raises
    NOT_FOUND for an image that is not indexed, and USAGE for a service that has told no vector of it."""
    async with transaction(pool, settings) as connection:
        row = await connection.fetchrow(queries()["find_hash"], image_id)
        if row is None:
            raise WindmillError("NOT_FOUND", f"image {image_id} is not indexed", "the stage index does it")
        vectors = await _vectors(connection, image_id)
        hashed = row["phash"] is not None
        ways = [*vectors, *([HASH] if hashed else [])]
        chosen = by or next(iter(ways), HASH)
        if chosen != HASH and chosen not in vectors:
            raise WindmillError("USAGE", f"no service {chosen!r} has told a vector of image {image_id}", _remedy(ways))
        complete = True
        if chosen == HASH:
            found = await connection.fetch(queries()["find_similar_images"], image_id, distance, limit)
            distances: Mapping[int, float] = {one["image_id"]: one["distance"] for one in found}
        else:
            near = await find_near(connection, image_id, chosen, vectors[chosen], limit)
            distances, complete = near.distances, near.complete
        ordered = sorted(distances, key=lambda one: (distances[one], -one))
        hits = [(one, distances[one.image.image_id]) for one in await read_hits(connection, ordered)]
    return SimilarImages(hits, hashed, chosen, ways, complete)


async def _vectors(connection: Connection, image_id: int) -> dict[str, list[Sequence[float]]]:
    """Of each service; first of those that tell one of the whole picture."""
    found: dict[str, list[Sequence[float]]] = {}
    for row in await connection.fetch(queries()["read_vectors"], image_id):
        found.setdefault(row["service"], []).append(row["numbers"])
    return dict(sorted(found.items(), key=lambda pair: len(pair[1]) > 1))


def _remedy(ways: Sequence[str]) -> str:
    return f"it can be compared by {', '.join(ways)}" if ways else "it has neither a vector nor a hash yet"
