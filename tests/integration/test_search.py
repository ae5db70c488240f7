"""The search row of each image, and what queries find, on a real PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from postprocessors import image_index
from tests.integration.fleet import Fleet
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.derive.sweep import SweepFilter, mark_page
from windmill.kernels.indexing.colour_names import COLOURS
from windmill.kernels.indexing.search_row import SearchRow
from windmill.kernels.query.matching import holds
from windmill.kernels.query.parser import parse_query
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.search import finding
from windmill.storage.search.finding import find_page
from windmill.storage.search.hits import read_hits
from windmill.storage.search.rows import SearchRowChange, StoredSearchRow, write_search_rows
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database

IMAGES = 400
LABELS = ("dog", "cat", "person", "teddy bear", "golden retriever")
WORDS = ("a red stop sign", "two dogs near a house", "stop", "signal", "", "keep left")


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=4) as opened:
        yield opened


def made_row(dice: random.Random) -> SearchRow:
    labels = dice.sample(LABELS, dice.randint(0, 3))
    day = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=dice.randint(0, 900))
    return SearchRow(
        labels={label: dice.randint(300, 1_000) for label in labels},
        persons=dice.choice((None, 0, 1, 2, 5)),
        faces=dice.choice((None, 0, 1, 2)),
        colours=tuple(dice.sample(COLOURS, dice.randint(0, 2))),
        nsfw=dice.choice((None, 3, 600)),
        text=dice.choice(WORDS),
        taken=dice.choice((None, day)),
        camera=dice.choice((None, "canon eos 5d", "nokia 3310")),
        phash=dice.choice((None, 0x1234, 0x1235, -1, -2)),
        width=dice.choice((None, 640, 1_000)),
        height=dice.choice((None, 480, 1_000)),
    )


async def fill(fleet: Fleet, pool: Pool, rows: dict[int, SearchRow]) -> None:
    await fleet.rows.executemany(
        "INSERT INTO images (image_id, image_filename, image_path, image_group) VALUES ($1, $2, $3, $4)",
        [(one, f"{one}.jpg", f"/i/{one}.jpg", "trip" if one % 3 else None) for one in rows],
    )
    async with transaction(pool, fleet.settings) as connection:
        changes = {one: SearchRowChange(None, StoredSearchRow(row, one, 1)) for one, row in rows.items()}
        await write_search_rows(connection, changes, 1)


QUERIES = [
    "",
    "label:dog",
    "label:dog@0.8 -label:cat",
    "label:golden*",
    "label:zebra",
    "NOT label:dog",
    "-label:dog -label:cat -label:person",
    "label:dog label:cat",
    "label:dog OR label:cat faces:0",
    "(label:dog OR text:sign) -colour:red",
    'text:"stop sign"',
    "text:stop text:sign",
    "text:sig*",
    'text:"near a hou"*',
    "text:~gna",
    "stop",
    "persons:>=2 faces:0..1",
    "nsfw:yes",
    "nsfw:no persons:0",
    "taken:2023-05..2024-02",
    "taken:<2023-06 OR taken:2025",
    "camera:canon",
    'camera:"nokia 3310" colour:blue',
    "size:>=640x480 -size:640x480",
    "group:trip label:dog",
    "group:nowhere",
    "-group:trip id:100..200",
    "id:390.. -persons:0",
    "label:cat (colour:red OR colour:blue OR camera:nokia)",
]


async def test_queries_find_what_is_so_newest_first_page_after_page_and_by_every_plan(
    fleet: Fleet, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(7)
    await fill(fleet, pool, {one: made_row(dice) for one in range(1, IMAGES + 1)})
    async with transaction(pool, fleet.settings) as connection:
        images = [one.image for one in await read_hits(connection, range(IMAGES, 0, -1))]
    kinds = set()
    for short, long, most in ((4_000, 20_000, 20_000), (7, 30, 20_000), (7, 30, 5)):
        for name, value in (("SHORT_WALK", short), ("LONG_WALK", long), ("MOST_CANDIDATES", most)):
            monkeypatch.setattr(finding, name, value)
        for text in QUERIES:
            query = parse_query(text)
            wanted = [one.image_id for one in images if holds(query, one)]
            found: list[int] = []
            before = None
            while True:
                async with transaction(pool, fleet.settings) as connection:
                    page = await find_page(connection, query, 25, before)
                kinds.add(page.kind)
                found += page.image_ids
                if page.total and page.total.relation == "exact":
                    assert page.total.images == len(wanted), text
                assert len(page.image_ids) == 25 or page.before is None or not page.complete, text
                if (before := page.before) is None:
                    break
            assert found == wanted, (text, short, most)
    assert kinds == {"nothing", "rare", "walk", "candidates"}


async def test_counts_of_the_dictionary_follow_every_change_and_sums_lose_nothing(fleet: Fleet, pool: Pool) -> None:
    dice = random.Random(8)
    rows = {one: made_row(dice) for one in range(1, 101)}
    await fill(fleet, pool, rows)
    await fleet.rows.execute("DELETE FROM image_search WHERE image_id > 90")
    await fleet.rows.execute("UPDATE image_search SET labels = '{}', camera = NULL WHERE image_id <= 10")
    await fleet.rows.execute("INSERT INTO search_counts (term_id, images) SELECT 0, 0 FROM generate_series(1, 50)")
    counted = "SELECT term_id, sum(images)::bigint AS images FROM search_counts GROUP BY 1 HAVING sum(images) <> 0"
    true = "SELECT term AS term_id, count(*) AS images FROM image_search AS s, search_terms_of(s) AS term GROUP BY 1"
    both = [sorted(map(tuple, await fleet.rows.fetch(one))) for one in (counted, true)]
    assert both[0] == both[1]
    await fleet.rows.execute("SELECT sum_up_search_counts()")
    assert await fleet.rows.fetchval("SELECT count(*) FROM search_counts WHERE term_id = 0") == 1
    assert sorted(map(tuple, await fleet.rows.fetch(counted))) == both[1]
    await fleet.rows.execute("TRUNCATE image_search")
    assert await fleet.rows.fetch("SELECT * FROM search_counts") == []


ANSWERS: dict[str, dict[str, Any]] = {
    "blip": {"text": "A dog near a Café", "emoji_mappings": [{"word": "dog", "emoji": "🐶"}]},
    "ocr": {"text": "STOP", "has_text": True, "emoji": "💬"},
    "nsfw2": {"nsfw": False, "confidence": 0.9, "emoji": ""},
    "colors": {"primary": {"hex": "#c8202f"}, "palette": {"colors": [{"hex": "#1b1c1e"}]}},
    "metadata": {
        "dimensions": {"width": 640, "height": 480},
        "phash": "9d8a745883d71ea5",
        "exif_data": {"EXIF:DateTimeOriginal": "2024:05:17 10:00:00", "Make": "Canon", "Model": "Canon EOS 5D"},
    },
    "clip": {"label": "Beach", "confidence": 0.6},
}


async def index(pool: Pool, settings: Settings) -> int:
    runner = image_index.make_runner(pool, settings, load_fleet(settings.service_config))
    done = 0
    while some := await runner.run_round(asyncio.Event()):
        done += some
    return done


MERGE = (
    "INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)"
    " VALUES (7, '{}', '{}', '{}', '{}', 1, 1, '')"
)
BOX = """INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)
         VALUES (7, 'a', '{}', '{"label": "person", "confidence": 0.9}')"""
VOTE = """INSERT INTO consensus (image_id, source_result_ids, consensus_data) VALUES (7, '{}', '{"votes": {"consensus":
          [{"emoji": "🐶", "probability": 0.93, "said_yes": [{"service": "blip", "word": "dog"}]}]}}')"""
LABELS_OF_7 = """SELECT array_agg(term ORDER BY place) FROM image_search,
                 unnest(labels) WITH ORDINALITY AS l (term_id, place) JOIN search_terms USING (term_id)"""


@pytest.fixture
async def answered(fleet: Fleet, pool: Pool) -> None:
    """An image with answers, indexed."""
    await register_stage_feeds(pool, fleet.settings, load_fleet(fleet.settings.service_config), "index")
    await fleet.rows.execute("INSERT INTO images (image_id, image_filename, image_path) VALUES (7, '7', '/7.jpg')")
    for service, one in ANSWERS.items():
        insert = "INSERT INTO results (image_id, service, status, data) VALUES (7, $1, 'success', $2)"
        await fleet.rows.execute(insert, service, orjson.dumps({"predictions": [one]}).decode())
    assert await index(pool, fleet.settings) > 0


async def test_what_services_answered_is_found_at_once(fleet: Fleet, pool: Pool, answered: None) -> None:
    found = {}
    for text in ("cafe", "label:beach", "colour:red colour:black", 'camera:"eos 5d"', "taken:2024-05", "persons:0"):
        async with transaction(pool, fleet.settings) as connection:
            found[text] = list((await find_page(connection, parse_query(text), 5)).image_ids)
    assert found.pop("persons:0") == [], "boxes were not merged, so nobody knows"
    assert set(map(tuple, found.values())) == {(7,)}
    stored = dict(await fleet.rows.fetchrow("SELECT * FROM image_search") or {})
    assert (stored["taken"], stored["width"], stored["nsfw"]) == (datetime(2024, 5, 17, 10, tzinfo=UTC), 640, 100)
    assert stored["text"] == "a dog near a cafe | stop"


async def test_a_search_row_follows_boxes_votes_and_changes_by_hand_and_goes_with_its_image(
    fleet: Fleet, pool: Pool, answered: None
) -> None:
    settings, rows = fleet.settings, fleet.rows
    for statement in (MERGE, BOX):
        await rows.execute(statement)
    await index(pool, settings)
    assert await rows.fetchval("SELECT persons FROM image_search") == 1
    await rows.execute(VOTE)
    await index(pool, settings)
    assert await rows.fetchval(LABELS_OF_7) == ["dog", "🐶", "person", "beach"]
    async with transaction(pool, settings) as connection:
        assert (await mark_page(connection, "index", SweepFilter(), 0)).marked == 0
    await rows.execute("UPDATE image_search SET text = 'made up'")
    await index(pool, settings)
    assert await rows.fetchval("SELECT text FROM image_search") == "a dog near a cafe | stop"
    for table in ("images", "merged_boxes", "merges", "consensus"):
        await rows.execute(f"DELETE FROM {table}")
    await index(pool, settings)
    assert await rows.fetch("SELECT * FROM image_search") == []
