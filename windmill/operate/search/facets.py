"""What hits have in common: labels, colours, counts and years with their numbers, each with the query that narrows down
to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.query.tree import And
from windmill.operate.search.searching import understood
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.search.finding import find_page
from windmill.storage.search.terms import know_terms
from windmill.storage.transactions import transaction

SAMPLE, MOST_VALUES = 10_000, 30
SMALL_SAMPLE = 1_000
"""For whoever waits for a page: counting it takes a tenth of the time."""
FIELDS = ("label", "colour", "camera", "persons", "faces", "nsfw", "year")
_COUNTED_ALWAYS = ("label", "colour", "camera")
_QUERIES: Mapping[str, str] = {"year": "taken", "camera": "camera"}


@dataclass(frozen=True)
class Facets:
    """Values by field, the most frequent first. `sampled`: among the `of` newest hits; else among all, which are as
    many, for labels, colours and cameras."""

    values: Mapping[str, list[tuple[str, int]]]
    of: int
    sampled: bool


async def read_facets(pool: Pool, settings: DatabaseSettings, text: str, sample: int = SAMPLE) -> Facets:
    """Of all hits if they are no more than a sample, else of that; raises USAGE."""
    query = understood(text)
    async with transaction(pool, settings) as connection:
        page = await find_page(connection, query, sample)
        rows = await connection.fetch(queries()["count_hit_facets"], list(page.image_ids), MOST_VALUES)
        of, sampled = len(page.image_ids), page.before is not None
        if query == And():
            of, sampled = max((await know_terms(connection, query)).images, of), False
            counted = await connection.fetch(queries()["count_all_facets"], MOST_VALUES)
            rows = [*counted, *(row for row in rows if row["field"] not in _COUNTED_ALWAYS)]
    return Facets(_by_field(rows), of, sampled)


def _by_field(rows: Iterable[Any]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {field: [] for field in FIELDS}
    for row in rows:
        if any(letter.isalnum() for letter in row["value"]):  # an emoji says the same as its word
            found[row["field"]].append((row["value"], row["images"]))
    return {field: sorted(values, key=lambda one: (-one[1], one[0])) for field, values in found.items()}


def narrowing(field: str, value: str) -> str:
    """The condition that a value stands for; 10 persons or more count as one value."""
    if field in ("persons", "faces"):
        return f"{field}:>=10" if value == "10" else f"{field}:{value}"
    quoted = value if value.isascii() and value.isalnum() else f'"{value}"'
    return f"{_QUERIES.get(field, field)}:{quoted}"
