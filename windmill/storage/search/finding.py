"""Finding a page of images: the newest first, and never by reading all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from windmill.kernels.query.tree import Query
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.search.conditions import Conditions
from windmill.storage.search.plans import (
    LONG_WALK,
    MOST_CANDIDATES,
    MOST_COUNTED,
    SHORT_WALK,
    PlanKind,
    SearchPlan,
    has_substring,
    is_everything,
    is_simple_count,
    plan_of,
)
from windmill.storage.search.terms import KnownTerms, know_terms

NEWEST = 2**63 - 1
Relation = Literal["exact", "at_least", "about"]


@dataclass(frozen=True)
class HitTotal:
    """How many images are hits; of many only that they are many."""

    images: int
    relation: Relation

    @staticmethod
    def counted(images: int) -> "HitTotal":
        return HitTotal(images, "exact") if images <= MOST_COUNTED else HitTotal(MOST_COUNTED, "at_least")


@dataclass(frozen=True)
class FoundPage:
    """`image_ids`, the newest first; `before` is where the next page begins, None at the end. Not `complete`: so many
    rows were looked at that it was enough for now."""

    image_ids: Sequence[int]
    before: int | None
    complete: bool
    total: HitTotal | None
    kind: PlanKind
    reason: str


@dataclass(frozen=True)
class _Asked:
    """One page that is wanted."""

    connection: Connection
    query: Query
    known: KnownTerms
    plan: SearchPlan
    limit: int
    before: int | None

    @property
    def first(self) -> int:
        high = self.plan.ids.high
        return min(NEWEST if self.before is None else self.before, NEWEST if high is None else high + 1)


async def find_page(connection: Connection, query: Query, limit: int, before: int | None = None) -> FoundPage:
    """A page of at most `limit` images before this id. Within a transaction, whose settings it changes."""
    known = await know_terms(connection, query)
    substrings = has_substring(query) and bool(await connection.fetchval(queries()["has_substring_index"]))
    plan = plan_of(query, known, substrings=substrings)
    asked = _Asked(connection, query, known, plan, limit, before)
    if plan.kind == "nothing":
        return FoundPage((), None, True, HitTotal(0, "exact"), "nothing", plan.reason)
    if plan.kind == "rare":
        found = await _candidates(asked)
        if found:
            return found
    return await _walked(asked)


async def _walked(asked: _Asked) -> FoundPage:
    """A short walk; then the candidates of an index, if there is one and they are not too many; then a longer walk."""
    page = await _walk(asked, SHORT_WALK)
    if page.complete:
        return page
    if asked.plan.has_index and (found := await _candidates(asked)):
        return replace(found, reason="hits are rare among the newest images: an index finds them")
    return await _walk(asked, LONG_WALK)


async def _walk(asked: _Asked, most: int) -> FoundPage:
    await asked.connection.execute(queries()["plan_for_walk"])
    conditions = Conditions(asked.known)
    rows = _rows_walked(conditions, asked, most)
    condition, limit = conditions.compile(asked.query), conditions.parameter(asked.limit + 1)
    statement = (
        f"SELECT s.image_id FROM ({rows}) AS s WHERE {condition}"  # noqa: S608 - values are parameters
        f" ORDER BY s.image_id DESC LIMIT {limit}"
    )
    found = [row["image_id"] for row in await asked.connection.fetch(statement, *conditions.parameters)]
    if len(found) > asked.limit:
        return _page(asked, found[: asked.limit], found[asked.limit - 1], _total(asked, found))
    last = await _last_walked(asked, most)
    return replace(_page(asked, found, last, _short_total(asked, found, last)), complete=last is None)


def _rows_walked(conditions: Conditions, asked: _Asked, most: int) -> str:
    """The newest rows, or those of a group. An index gives them in their order, so none is read for nothing."""
    group = asked.plan.group
    source = "image_search AS s" if group is None else "image_groups AS w JOIN image_search AS s USING (image_id)"
    order = "s.image_id" if group is None else "w.image_id"
    limits = [f"{order} < {conditions.parameter(asked.first)}::bigint"]
    if asked.plan.ids.low is not None:
        limits.append(f"{order} >= {conditions.parameter(asked.plan.ids.low)}::bigint")
    if group is not None:
        limits.append(f"w.image_group = {conditions.parameter(group)}::text")
    bound = conditions.parameter(most)
    return f"SELECT s.* FROM {source} WHERE {' AND '.join(limits)} ORDER BY {order} DESC LIMIT {bound}"  # noqa: S608


async def _last_walked(asked: _Asked, most: int) -> int | None:
    """Where a walk of so many rows ended; None if it came to the end."""
    conditions = Conditions(asked.known)
    rows = _rows_walked(conditions, asked, most)
    statement = f"SELECT min(image_id) AS last, count(*) AS rows FROM ({rows}) AS s"  # noqa: S608 - as above
    row = await asked.connection.fetchrow(statement, *conditions.parameters)
    return row["last"] if row and row["rows"] == most else None


async def _candidates(asked: _Asked) -> FoundPage | None:
    """All hits by an index; None if they are too many."""
    await asked.connection.execute(queries()["plan_for_candidates"])
    conditions = Conditions(asked.known, led_to=asked.plan.images)
    limits = [conditions.compile(asked.query)]
    if asked.before is not None:
        limits.append(f"s.image_id < {conditions.parameter(asked.before)}::bigint")
    most, limit = conditions.parameter(MOST_CANDIDATES + 1), conditions.parameter(asked.limit + 1)
    statement = (
        f"WITH hits AS MATERIALIZED (SELECT s.image_id FROM image_search AS s"  # noqa: S608 - values are parameters
        f" WHERE {' AND '.join(limits)} LIMIT {most})"
        f" SELECT (SELECT count(*) FROM hits) AS hits,"
        f" ARRAY (SELECT image_id FROM hits ORDER BY image_id DESC LIMIT {limit}) AS image_ids"
    )
    row = await asked.connection.fetchrow(statement, *conditions.parameters)
    assert row
    if row["hits"] > MOST_CANDIDATES:
        return None
    found = list(row["image_ids"])
    last = found[asked.limit - 1] if len(found) > asked.limit else None
    total = HitTotal.counted(row["hits"]) if asked.before is None else None
    kind: PlanKind = "rare" if asked.plan.kind == "rare" else "candidates"
    return replace(_page(asked, found[: asked.limit], last, total), kind=kind)


def _page(asked: _Asked, found: Sequence[int], before: int | None, total: HitTotal | None) -> FoundPage:
    return FoundPage(found, before, True, total, asked.plan.kind, asked.plan.reason)


def _total(asked: _Asked, found: Sequence[int]) -> HitTotal | None:
    """Of a full page: what the dictionary counts, else only that there are more."""
    if asked.before is not None:
        return None
    if is_everything(asked.query):
        return HitTotal(max(asked.known.images, len(found)), "exact")
    if is_simple_count(asked.query):
        return HitTotal(max(asked.known.of[asked.query].images, len(found)), "exact")  # type: ignore[index] # a leaf
    return HitTotal(len(found), "at_least")


def _short_total(asked: _Asked, found: Sequence[int], last: int | None) -> HitTotal | None:
    if asked.before is not None:
        return None
    return HitTotal(len(found), "exact" if last is None else "at_least")
