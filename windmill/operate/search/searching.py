"""Finding images by a query, each hit with the reasons why it is one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.query.matching import Reason, reasons
from windmill.kernels.query.parser import parse_query
from windmill.kernels.query.rendering import render_query
from windmill.kernels.query.tokens import QueryInvalid
from windmill.kernels.query.tree import EVERYTHING, Query
from windmill.operate.search.frames import frame_of
from windmill.storage.database import Pool
from windmill.storage.search.finding import FoundPage, find_page
from windmill.storage.search.hits import HitRecord, read_hits
from windmill.storage.transactions import transaction

MOST_SHOWN_LABELS, MOST_SHOWN_TEXT = 20, 300


@dataclass(frozen=True)
class SearchHit:
    """An image that was found, and why."""

    record: HitRecord
    why: Sequence[Reason]


@dataclass(frozen=True)
class SearchPage:
    """A page of hits; the query is told as it was understood."""

    hits: Sequence[SearchHit]
    found: FoundPage
    query: str
    milliseconds: float


def understood(text: str) -> Query:
    """The query; raises USAGE with the place of a mistake."""
    try:
        return parse_query(text)
    except QueryInvalid as error:
        said = f"{error.said} (character {error.place + 1}: {text[error.place : error.place + 20]!r})"
        raise WindmillError("USAGE", said, "docs/search.md tells how a query is written") from error


async def search_images(
    pool: Pool, settings: DatabaseSettings, text: str, limit: int, before: int | None = None
) -> SearchPage:
    """The newest hits before this id; raises USAGE."""
    query, begun = understood(text), time.perf_counter()
    async with transaction(pool, settings) as connection:
        found = await find_page(connection, query, limit, before)
        records = await read_hits(connection, found.image_ids)
    hits = hits_of(records, query)
    return SearchPage(hits, found, render_query(query), round(1000 * (time.perf_counter() - begun), 1))


def hits_of(records: Sequence[HitRecord], query: Query = EVERYTHING) -> list[SearchHit]:
    """With the reasons; none where nothing was asked for."""
    return [SearchHit(one, reasons(query, one.image)) for one in records]


def hit_document(hit: SearchHit, location: str | None) -> dict[str, Any]:
    """A hit as JSON; `location` as it may be told."""
    record, row = hit.record, hit.record.image.row
    labels = list(row.labels.items())[:MOST_SHOWN_LABELS]
    return {
        "image_id": record.image.image_id,
        "name": record.name,
        "location": location,
        "group": record.group,
        "width": row.width,
        "height": row.height,
        "taken": row.taken,
        "camera": row.camera,
        "labels": [{"label": label, "probability": chance / 1000} for label, chance in labels],
        "persons": row.persons,
        "faces": row.faces,
        "colours": list(row.colours),
        "nsfw": None if row.nsfw is None else row.nsfw / 1000,
        "text": row.text[:MOST_SHOWN_TEXT] or None,
        "frame": _frame(record),
        "why": [{"field": one.field, "value": one.value, "probability": one.probability} for one in hit.why],
    }


def _frame(record: HitRecord) -> dict[str, Any] | None:
    found = frame_of(record.group, record.name)
    return {"job_id": found.job_id, "name": record.name, "seconds": found.seconds} if found else None


def page_document(page: SearchPage, hits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A page as JSON, apart from the cursor."""
    found = page.found
    total = {"images": found.total.images, "relation": found.total.relation} if found.total else None
    return {
        "hits": list(hits),
        "count": len(hits),
        "complete": found.complete,
        "total": total,
        "explanation": {"plan": found.kind, "reason": found.reason, "milliseconds": page.milliseconds},
        "query": page.query,
    }
