"""Images that are alike: by a vector that a service has answered, by the perceptual hash of the picture, or by the
things that both show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.search.alike import NearImages, find_near
from windmill.storage.search.hits import HitRecord, read_hits
from windmill.storage.search.shared_labels import LEAST_PROBABILITY, find_sharing
from windmill.storage.transactions import transaction

MOST_DISTANCE = 3
"""Bits of 64. Of hashes that differ more, no quarter need be the same, so no index finds all of them."""
HASH = "hash"
LABELS = "labels"
"""What images are compared by, else the name of a service."""


@dataclass(frozen=True)
class SimilarImages:
    """The most similar first, each with its distance: the number of bits that differ; by the cosine from 0 to 2; or by
    labels from 0 to 1. `hashed`: the image itself has a hash. `ways`: what it can be compared by, `by` what it was. Not
    `complete`: only the newest were compared."""

    hits: Sequence[tuple[HitRecord, float]]
    hashed: bool
    by: str = HASH
    ways: Sequence[str] = ()
    complete: bool = True


@dataclass(frozen=True)
class _Look:
    """What an image can be compared by."""

    image_id: int
    hashed: bool
    vectors: Mapping[str, Sequence[Sequence[float]]]
    labels: Sequence[int]

    @property
    def ways(self) -> list[str]:
        return [*self.vectors, *([HASH] if self.hashed else []), *([LABELS] if self.labels else [])]


async def find_similar(
    pool: Pool, settings: DatabaseSettings, image_id: int, distance: int, limit: int, by: str = ""
) -> SimilarImages:
    """By a vector, if the image has one, else by its hash, and by labels if nothing has nearly the same hash; unless
    something else is asked for. `distance` is that of hashes. Raises NOT_FOUND for an image that is not indexed, and
    USAGE for a service that has told no vector of it."""
    async with transaction(pool, settings) as connection:
        look = await _look(connection, image_id)
        if by and by not in (HASH, LABELS, *look.vectors):
            raise WindmillError("USAGE", f"no service {by!r} has told a vector of image {image_id}", _remedy(look.ways))
        chosen = by or next(iter(look.vectors), HASH)
        near = await _near(connection, look, chosen, distance, limit)
        if not near.distances and not by and look.labels:
            chosen, near = LABELS, await _near(connection, look, LABELS, distance, limit)
        ordered = sorted(near.distances, key=lambda one: (near.distances[one], -one))
        hits = [(one, near.distances[one.image.image_id]) for one in await read_hits(connection, ordered)]
    return SimilarImages(hits, look.hashed, chosen, look.ways, near.complete)


async def _look(connection: Connection, image_id: int) -> _Look:
    row = await connection.fetchrow(queries()["find_look"], image_id, LEAST_PROBABILITY)
    if row is None:
        raise WindmillError("NOT_FOUND", f"image {image_id} is not indexed", "the stage index does it")
    return _Look(image_id, row["phash"] is not None, await _vectors(connection, image_id), row["labels"])


async def _near(connection: Connection, look: _Look, by: str, distance: int, limit: int) -> NearImages:
    if by == LABELS:
        return await find_sharing(connection, look.image_id, look.labels, limit)
    if by != HASH:
        return await find_near(connection, look.image_id, by, look.vectors[by], limit)
    rows: Sequence[Any] = await connection.fetch(queries()["find_similar_images"], look.image_id, distance, limit)
    return NearImages({row["image_id"]: row["distance"] for row in rows}, True)


async def _vectors(connection: Connection, image_id: int) -> dict[str, list[Sequence[float]]]:
    """Of each service; first of those that tell one of the whole picture."""
    found: dict[str, list[Sequence[float]]] = {}
    for row in await connection.fetch(queries()["read_vectors"], image_id):
        found.setdefault(row["service"], []).append(row["numbers"])
    return dict(sorted(found.items(), key=lambda pair: len(pair[1]) > 1))


def _remedy(ways: Sequence[str]) -> str:
    return f"it can be compared by {', '.join(ways)}" if ways else "it has no vector, no hash and no labels yet"
