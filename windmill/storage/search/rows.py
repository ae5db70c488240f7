"""Reading and writing search rows, in which labels, colours and cameras are numbers of a dictionary."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from windmill.core.jsonb import render_list
from windmill.kernels.indexing.search_row import SearchRow
from windmill.storage.database import Connection
from windmill.storage.queries import queries

TermKind = Literal["label", "colour", "camera"]
Term = tuple[TermKind, str]


@dataclass(frozen=True)
class StoredSearchRow:
    """A row of `image_search`: the columns whose change means that it has to be rewritten."""

    row: SearchRow
    sources: int
    version: int


async def read_search_rows(connection: Connection, image_ids: Sequence[int]) -> dict[int, StoredSearchRow]:
    """Those that there are."""
    rows = await connection.fetch(queries()["read_search_rows"], list(image_ids))
    return {row["image_id"]: StoredSearchRow(_row(row), row["sources"], row["version"]) for row in rows}


def _row(row: Any) -> SearchRow:  # noqa: ANN401 - a record of the driver
    return SearchRow(
        labels=dict(zip(row["labels"], row["label_p"], strict=False)),
        colours=tuple(row["colours"]),
        **{name: row[name] for name in ("persons", "faces", "nsfw", "text", "taken", "camera", "phash")},
        **{name: row[name] for name in ("width", "height")},
    )


@dataclass(frozen=True)
class SearchRowChange:
    """The row of an image as it is and as it should be; None is no row."""

    before: StoredSearchRow | None
    after: StoredSearchRow | None

    @property
    def is_other(self) -> bool:
        """Whether what is searched for differs, and not only what it was made from."""
        return not self.before or not self.after or self.before.row != self.after.row


async def write_search_rows(connection: Connection, changes: Mapping[int, SearchRowChange], version: int) -> None:
    """Make the changes. A row that only was made from other rows stays where it is, with its places in all indexes."""
    sql = queries()
    other = {image_id: one for image_id, one in changes.items() if one.is_other}
    same = {i: one.after.sources for i, one in changes.items() if one.after and not one.is_other}
    if gone := [image_id for image_id, one in other.items() if one.before]:
        await connection.execute(sql["delete_search_rows"], gone)
    if same:
        await connection.execute(sql["touch_search_rows"], list(same), list(same.values()), version)
    kept = {image_id: one.after for image_id, one in other.items() if one.after}
    if kept:
        numbers = await number_terms(connection, {term for one in kept.values() for term in _terms(one.row)})
        columns = zip(*(_columns(image_id, one, numbers) for image_id, one in kept.items()), strict=True)
        await connection.execute(sql["insert_search_rows"], *map(list, columns), version)


async def number_terms(connection: Connection, terms: Iterable[Term]) -> dict[Term, int]:
    """The numbers of these terms; new ones get one."""
    wanted = sorted(set(terms))
    numbers = await _find(connection, wanted)
    if missing := [one for one in wanted if one not in numbers]:
        await connection.execute(queries()["add_search_terms"], *_split(missing))
        numbers |= await _find(connection, missing)
    return numbers


async def _find(connection: Connection, terms: Sequence[Term]) -> dict[Term, int]:
    rows = await connection.fetch(queries()["find_search_terms"], *_split(terms))
    return {(row["kind"], row["term"]): row["term_id"] for row in rows}


def _split(terms: Sequence[Term]) -> tuple[list[str], list[str]]:
    return [kind for kind, _ in terms], [term for _, term in terms]


def _terms(row: SearchRow) -> list[Term]:
    labels: list[Term] = [("label", one) for one in row.labels]
    colours: list[Term] = [("colour", one) for one in row.colours]
    return [*labels, *colours, *([("camera", row.camera)] if row.camera else [])]  # type: ignore[list-item] # a literal


def _columns(image_id: int, stored: StoredSearchRow, numbers: Mapping[Term, int]) -> tuple[object, ...]:
    row = stored.row
    return (
        *(image_id, row.taken, stored.sources, row.phash, row.width, row.height),
        *(numbers["camera", row.camera] if row.camera else None, row.persons, row.faces, row.nsfw),
        render_list([numbers["label", one] for one in row.labels]),
        render_list(list(row.labels.values())),
        render_list([numbers["colour", one] for one in row.colours]),
        row.text,
    )
