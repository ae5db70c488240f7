"""Images that show the same things: how many of their labels they share, a rare one counting for more."""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.search.alike import NearImages
from windmill.storage.search.terms import ALL_IMAGES, count_terms

LEAST_PROBABILITY = 500
"""In thousandths: less likely labels are not what one sees in a picture."""
MOST_COMPARED = 1_000
"""Images with a label that is rare, and as many of the newest."""


async def find_sharing(connection: Connection, image_id: int, labels: Sequence[int], limit: int) -> NearImages:
    """How far they are: 0 has the same labels, 1 has none of them, so it is not told. Within a transaction, whose
    settings it changes."""
    counts = await count_terms(connection, [ALL_IMAGES, *labels])
    images, known, rare = counts.get(ALL_IMAGES, 0), 0, []
    for label in sorted(labels, key=lambda one: counts.get(one, 0)):
        known += counts.get(label, 0)
        if known > MOST_COMPARED:
            break
        rare.append(label)
    found = await _rows(connection, image_id, labels, rare)
    seen = {one for theirs in (labels, *found.values()) for one in theirs}
    weights = _weights(await count_terms(connection, seen), images)
    distances = {other: _distance(set(labels), set(theirs), weights) for other, theirs in found.items()}
    nearest = heapq.nsmallest(limit, distances.items(), key=lambda pair: (pair[1], -pair[0]))
    return NearImages(
        {other: distance for other, distance in nearest if distance < 1},
        images <= MOST_COMPARED or len(rare) == len(labels),
    )


async def _rows(
    connection: Connection, image_id: int, labels: Sequence[int], rare: Sequence[int]
) -> dict[int, Sequence[int]]:
    """The labels of images that are compared with this one."""
    rows = []
    if rare:
        await connection.execute(queries()["plan_for_candidates"])
        rows += await connection.fetch(queries()["find_with_labels"], rare, LEAST_PROBABILITY, MOST_COMPARED)
    if len(rare) < len(labels):
        await connection.execute(queries()["plan_for_walk"])
        rows += await connection.fetch(queries()["newest_labels"], LEAST_PROBABILITY, MOST_COMPARED)
    return {row["image_id"]: row["labels"] for row in rows if row["image_id"] != image_id}


def _weights(counts: Mapping[int, int], images: int) -> dict[int, float]:
    """What is in every picture says little of what one has in common with another."""
    return {label: math.log((max(images, of) + 1) / max(of, 1)) + 0.01 for label, of in counts.items()}


def _distance(one: set[int], other: set[int], weights: Mapping[int, float]) -> float:
    """Of labels that nobody has counted yet, the weight is that of one in every picture."""

    def weight(labels: Iterable[int]) -> float:
        return sum(weights.get(label, 0.01) for label in labels)

    return 1 - weight(one & other) / weight(one | other)
