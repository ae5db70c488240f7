"""Images whose vectors are near: by an index of the extension vector where there is one, else by comparing them."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.kernels.indexing.vectors import MOST_VECTORS
from windmill.storage.database import Connection
from windmill.storage.queries import queries

MOST_COMPARED = 5_000
"""Vectors that are compared one by one: the newest. An index compares with all."""
_PAGE = 1_000
_MOST_INDEXED, _LEAST_LOOKED_AT, _MOST_LOOKED_AT = 2_000, 100, 1_000
"""What an index of the extension takes: dimensions, and candidates."""
_NEWEST = 2**63 - 1
_LAST_PLACE = 2**15 - 1
_HEADER = 20
"""Bytes before the numbers of an array of one dimension as the server sends it."""


@dataclass(frozen=True)
class NearImages:
    """How far the nearest images are, by the cosine: 0 is the same, 1 has nothing in common. Not `complete`: only the
    newest were compared."""

    distances: dict[int, float]
    complete: bool


async def find_near(
    connection: Connection, image_id: int, service: str, vectors: Sequence[Sequence[float]], limit: int
) -> NearImages:
    """The images nearest to any of these vectors of an image. Within a transaction, whose settings it changes."""
    numbers = len(vectors[0])
    alike = [one for one in vectors if len(one) == numbers][:MOST_VECTORS]
    if numbers <= _MOST_INDEXED and await connection.fetchval(queries()["has_vector_index"], service, numbers):
        return NearImages(await _by_index(connection, image_id, service, alike, limit), True)
    return await _by_comparing(connection, image_id, service, alike, limit)


async def _by_index(
    connection: Connection, image_id: int, service: str, vectors: Sequence[Sequence[float]], limit: int
) -> dict[int, float]:
    wanted = limit + MOST_VECTORS
    looked_at = min(max(2 * wanted, _LEAST_LOOKED_AT), _MOST_LOOKED_AT)
    await connection.execute(queries()["plan_for_vectors"], str(looked_at))
    kind = f"vector({len(vectors[0])})"
    statement = (
        f"SELECT image_id, numbers::{kind} <=> $2::real[]::{kind} AS distance FROM image_vectors"  # noqa: S608 - a number
        f" WHERE service = $1 AND cardinality(numbers) = {len(vectors[0])}"
        f" ORDER BY numbers::{kind} <=> $2::real[]::{kind} LIMIT $3"
    )
    nearest: dict[int, float] = {}
    for one in vectors:
        for row in await connection.fetch(statement, service, list(one), wanted):
            found = row["image_id"], max(float(row["distance"]), 0.0)
            nearest[found[0]] = min(found[1], nearest.get(found[0], found[1]))
    return _first(nearest, image_id, limit)


async def _by_comparing(
    connection: Connection, image_id: int, service: str, vectors: Sequence[Sequence[float]], limit: int
) -> NearImages:
    """Page by page, so that a page of vectors is all that is in memory."""
    nearest: dict[int, float] = {}
    before, compared = (_NEWEST, _LAST_PLACE), 0
    while compared < MOST_COMPARED:
        rows = await connection.fetch(queries()["newest_vectors"], service, len(vectors[0]), *before, _PAGE)
        for one, distance in zip(rows, _distances([row["sent"] for row in rows], vectors), strict=True):
            nearest[one["image_id"]] = min(distance, nearest.get(one["image_id"], distance))
        nearest = _first(nearest, image_id, limit)
        if len(rows) < _PAGE:
            return NearImages(nearest, True)
        compared += len(rows)
        before = rows[-1]["image_id"], rows[-1]["place"]
    return NearImages(nearest, False)


def _first(nearest: dict[int, float], but: int, limit: int) -> dict[int, float]:
    others = ((image_id, distance) for image_id, distance in nearest.items() if image_id != but)
    return dict(heapq.nsmallest(limit, others, key=lambda pair: (pair[1], -pair[0])))


def _distances(sent: Sequence[bytes], vectors: Sequence[Sequence[float]]) -> list[float]:
    """Of each to the nearest of the vectors, all of length 1. Loaded here, as a gateway without vectors needs no
    numpy."""
    import numpy as np

    if not sent:
        return []
    one = np.dtype([("length", ">i4"), ("number", ">f4")])
    numbers = np.stack([np.frombuffer(each, one, offset=_HEADER)["number"] for each in sent]).astype(np.float32)
    alike = numbers @ np.asarray(vectors, np.float32).T
    return [float(each) for each in np.clip(1 - alike.max(axis=1), 0, 2)]
