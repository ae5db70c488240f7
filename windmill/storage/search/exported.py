"""Reading images for exports: by their ids, a page at a time, with boxes and votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.jsonb import parse_object
from windmill.kernels.query.tree import Query
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.search.conditions import Conditions
from windmill.storage.search.hits import HitRecord, read_hits
from windmill.storage.search.terms import know_terms


@dataclass(frozen=True)
class EmojiVote:
    """One line of a vote."""

    emoji: str
    probability: float


@dataclass(frozen=True)
class ExportedImage:
    """`boxes` are as in merged_boxes, with their ids."""

    hit: HitRecord
    boxes: Sequence[Mapping[str, Any]]
    votes: Sequence[EmojiVote]


async def next_exported_ids(
    connection: Connection, query: Query, after: int, last: int, limit: int, since: datetime | None = None
) -> list[int]:
    """The next hits above `after` and up to `last`, in ascending order; with `since` those indexed from then on."""
    conditions = Conditions(await know_terms(connection, query))
    limits = [
        f"s.image_id > {conditions.parameter(after)}::bigint",
        f"s.image_id <= {conditions.parameter(last)}::bigint",
        conditions.compile(query),
    ]
    if since:
        limits.append(f"s.indexed_at >= {conditions.parameter(since)}::timestamptz")
    bound = conditions.parameter(limit)
    statement = (
        f"SELECT s.image_id FROM image_search AS s WHERE {' AND '.join(limits)}"  # noqa: S608 - values are parameters
        f" ORDER BY s.image_id LIMIT {bound}"
    )
    return [row["image_id"] for row in await connection.fetch(statement, *conditions.parameters)]


async def was_indexed_since(connection: Connection, after: int, last: int, since: datetime) -> bool:
    """Whether any image of this range was."""
    return bool(await connection.fetchval(queries()["was_indexed_since"], after, last, since))


async def read_exported(connection: Connection, image_ids: Sequence[int]) -> list[ExportedImage]:
    """In the order of the ids."""
    ids, sql = list(image_ids), queries()
    boxes: dict[int, list[Mapping[str, Any]]] = {}
    for row in await connection.fetch(sql["read_merged_boxes"], ids):
        document = parse_object(row["merged_data"]) | {"merged_id": row["merged_id"]}
        boxes.setdefault(row["image_id"], []).append(document)
    votes = {row["image_id"]: row["consensus_data"] for row in await connection.fetch(sql["read_consensus"], ids)}
    return [
        ExportedImage(hit, boxes.get(hit.image.image_id, ()), _votes(parse_object(votes.get(hit.image.image_id))))
        for hit in await read_hits(connection, ids)
    ]


def _votes(document: Mapping[str, Any]) -> list[EmojiVote]:
    votes = document.get("votes")
    items = votes.get("consensus") if isinstance(votes, Mapping) else None
    found = [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []
    told = ((one.get("emoji"), one.get("probability")) for one in found)
    return [EmojiVote(emoji, float(chance)) for emoji, chance in told
            if isinstance(emoji, str) and isinstance(chance, int | float)]  # fmt: skip
