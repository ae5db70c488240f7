"""The words of a query in the dictionary, and how many images have them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windmill.kernels.query.tree import CameraTerm, ColourTerm, LabelTerm, Leaf, Query, TakenTerm, leaves
from windmill.storage.database import Connection
from windmill.storage.queries import queries

MOST_EXPANDED = 200
"""So many labels that begin alike, or cameras that contain a word, are searched for; more would say nothing."""
ALL_IMAGES = 0
_BALANCE = 100


@dataclass(frozen=True)
class KnownTerm:
    """The numbers that a condition stands for, none if no image ever had it, and about how many images have them."""

    ids: tuple[int, ...]
    images: int


@dataclass(frozen=True)
class KnownTerms:
    """Those of a query, and the number of all images. `taken`: how many were taken then, counted as far as that is
    rare."""

    images: int = 0
    of: Mapping[Leaf, KnownTerm] = field(default_factory=dict)
    taken: Mapping[Leaf, int] = field(default_factory=dict)


async def know_terms(connection: Connection, query: Query) -> KnownTerms:
    """Look up labels, colours and cameras of the query, and their counts."""
    asked = [one for one in dict.fromkeys(leaves(query)) if isinstance(one, LabelTerm | ColourTerm | CameraTerm)]
    found = {one: await _ids(connection, one) for one in asked}
    counts = await count_terms(connection, [ALL_IMAGES, *{one for ids in found.values() for one in ids}])
    images = max(counts.get(ALL_IMAGES, 0), 0)
    return KnownTerms(
        images,
        {leaf: KnownTerm(ids, sum(max(counts.get(one, 0), 0) for one in ids)) for leaf, ids in found.items()},
        {leaf: await _count_taken(connection, leaf, images) for leaf in leaves(query) if isinstance(leaf, TakenTerm)},
    )


def is_rare(images: int, of: int) -> bool:
    """Whether its index is cheaper than a walk: the index costs as much as it has hits, a walk as much as it skips rows
    until a page is full. At a million images this is one in a hundred."""
    return images * images <= _BALANCE * of


async def _count_taken(connection: Connection, leaf: TakenTerm, images: int) -> int:
    """Of so many that they are not rare, only that they are."""
    most = math.isqrt(_BALANCE * images) + 1
    return int(await connection.fetchval(queries()["count_taken"], leaf.since, leaf.until, most))


async def _ids(connection: Connection, leaf: LabelTerm | ColourTerm | CameraTerm) -> tuple[int, ...]:
    match leaf:
        case LabelTerm(label, prefix=True):
            sought = ("label", f"{escape_like(label)}%")
        case LabelTerm(label):
            return await _exact(connection, "label", label)
        case ColourTerm(colour):
            return await _exact(connection, "colour", colour)
        case CameraTerm(camera):
            sought = ("camera", f"%{escape_like(camera)}%")
    rows = await connection.fetch(queries()["match_search_terms"], *sought, MOST_EXPANDED)
    return tuple(row["term_id"] for row in rows)


async def _exact(connection: Connection, kind: str, term: str) -> tuple[int, ...]:
    rows = await connection.fetch(queries()["find_search_terms"], [kind], [term])
    return tuple(row["term_id"] for row in rows)


async def count_terms(connection: Connection, term_ids: Iterable[int]) -> dict[int, int]:
    """How many images have each; ALL_IMAGES counts all."""
    rows = await connection.fetch(queries()["count_search_terms"], sorted(term_ids))
    return {row["term_id"]: row["images"] for row in rows}


def escape_like(text: str) -> str:
    """For LIKE, in which these have a meaning."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
