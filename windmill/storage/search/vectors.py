"""Reading and writing the vectors of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from windmill.core.jsonb import render_list
from windmill.kernels.indexing.vectors import Vector, digest_of
from windmill.storage.database import Connection
from windmill.storage.queries import queries

Place = tuple[str, int]
"""A service, and which of its vectors."""


@dataclass(frozen=True)
class VectorChange:
    """The vectors of an image that go, and those that come or change."""

    gone: Sequence[Place] = ()
    new: Mapping[Place, Vector] = field(default_factory=dict)

    @staticmethod
    def between(before: Mapping[Place, int], after: Mapping[str, Sequence[Vector]]) -> "VectorChange":
        """`before` are the digests of those that are there."""
        wanted = {(service, place): one for service, found in after.items() for place, one in enumerate(found)}
        new = {place: one for place, one in wanted.items() if before.get(place) != digest_of(one)}
        return VectorChange([place for place in before if place not in wanted], new)


async def read_vector_digests(connection: Connection, image_ids: Sequence[int]) -> dict[int, dict[Place, int]]:
    """Those of the images that have vectors."""
    found: dict[int, dict[Place, int]] = {}
    for row in await connection.fetch(queries()["read_vector_digests"], list(image_ids)):
        found.setdefault(row["image_id"], {})[row["service"], row["place"]] = row["digest"]
    return found


async def write_vectors(connection: Connection, changes: Mapping[int, VectorChange]) -> None:
    """Make the changes; nothing is asked where there are none."""
    gone = [(image_id, *place) for image_id, one in changes.items() for place in one.gone]
    new = [
        (image_id, *place, digest_of(vector), render_list(vector))
        for image_id, one in changes.items()
        for place, vector in one.new.items()
    ]
    sql = queries()
    if gone:
        await connection.execute(sql["delete_vectors"], *map(list, zip(*gone, strict=True)))
    if new:
        await connection.execute(sql["insert_vectors"], *map(list, zip(*new, strict=True)))
