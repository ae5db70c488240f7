"""Images that show the same things are found by their labels, when none has nearly the same hash or vector."""

import math
import random
from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet
from tests.integration.test_search import fill, made_row
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.kernels.indexing.search_row import SearchRow
from windmill.operate.search.similar import find_similar
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.search import shared_labels

pytestmark = pytest.mark.database

IMAGES, SEEN = 300, 500
THINGS = ["sky", "dog", "cat", "person", *(f"thing {n}" for n in range(60))]


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=2) as opened:
        yield opened


def made(dice: random.Random, image_id: int) -> SearchRow:
    """Few things are in many pictures; some labels are unlikely, and each hash differs from all others in many bits."""
    things = {THINGS[min(int(dice.expovariate(0.15)), len(THINGS) - 1)] for _ in range(dice.randint(1, 6))}
    labels = {one: dice.choice((350, 700, 990)) for one in sorted(things)}
    return SearchRow(
        **{**vars(made_row(dice)), "labels": labels, "phash": dice.getrandbits(62) if image_id % 2 else None}
    )


def expected(rows: dict[int, SearchRow], image_id: int) -> dict[int, float]:
    """In plain Python: 1 minus the share that is common, of labels that one sees, each with what its rarity says."""
    counts = {one: sum(one in row.labels for row in rows.values()) for one in THINGS}
    seen = {one: {label for label, p in row.labels.items() if p >= SEEN} for one, row in rows.items()}

    def weight(labels: set[str]) -> float:
        return sum(math.log((len(rows) + 1) / counts[one]) + 0.01 for one in labels)

    mine = seen.pop(image_id)
    return {one: 1 - weight(mine & theirs) / weight(mine | theirs) for one, theirs in seen.items() if mine & theirs}


async def test_images_with_the_same_things_are_found_and_rare_things_count_for_more(
    fleet: Fleet, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(5)
    rows = {one: made(dice, one) for one in range(1, IMAGES + 1)}
    rows[IMAGES + 1] = SearchRow(**{**vars(rows[1]), "labels": {"sky": 400}, "phash": None})
    await fill(fleet, pool, rows)
    for one in (1, 2, 77, IMAGES):
        found = await find_similar(pool, fleet.settings, one, 3, IMAGES)
        assert (found.by, found.complete, found.ways) == ("labels", True, [*(["hash"] if one % 2 else []), "labels"])
        wanted = expected(rows, one)
        assert {hit.image.image_id: distance for hit, distance in found.hits} == pytest.approx(wanted)
        assert [distance for _, distance in found.hits] == pytest.approx(sorted(wanted.values()))
    asked = await find_similar(pool, fleet.settings, 1, 3, IMAGES, "hash")
    assert (asked.by, asked.hits) == ("hash", []), "what is asked for is not replaced"
    nothing = await find_similar(pool, fleet.settings, IMAGES + 1, 3, 9)
    assert (nothing.by, nothing.ways, nothing.hits) == ("hash", [], [])
    with pytest.raises(WindmillError, match="no service 'clip'"):
        await find_similar(pool, fleet.settings, 1, 3, 9, "clip")
    await of_many_those_with_a_rare_label_and_the_newest_are_compared(fleet, pool, rows, monkeypatch)


async def of_many_those_with_a_rare_label_and_the_newest_are_compared(
    fleet: Fleet, pool: Pool, rows: dict[int, SearchRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_labels, "MOST_COMPARED", 40)
    counts = {one: sum(one in row.labels for row in rows.values()) for one in THINGS}
    one = next(n for n, row in rows.items() if {990, 700} & {*row.labels.values()}
               and sum(counts[label] for label, p in row.labels.items() if p >= SEEN) > 40
               and min(counts[label] for label, p in row.labels.items() if p >= SEEN) <= 40)  # fmt: skip
    found = await find_similar(pool, fleet.settings, one, 3, IMAGES, "labels")
    assert not found.complete
    rarest = min((label for label, p in rows[one].labels.items() if p >= SEEN), key=lambda label: counts[label])
    wanted = expected(rows, one)
    told = {hit.image.image_id: distance for hit, distance in found.hits}
    assert told == pytest.approx({other: wanted[other] for other in told})
    compared = {*range(max(rows) - 39, max(rows) + 1), *(n for n, row in rows.items() if rarest in row.labels)}
    assert {*told} >= compared & {*wanted}
