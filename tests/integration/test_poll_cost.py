"""Asking for stale images costs what is stale, and not what is there."""

import asyncpg
import pytest

from tests.integration.explained import side_by_side
from tests.integration.fleet import Fleet
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

ASKED = 101
MOST_RATIO = 1.5
NOT_DUE = """
INSERT INTO stale (stage, image_id, due) SELECT 'merge', n, now() + interval '1 hour' FROM generate_series(1, 1000) AS n
"""
ROWS = """
INSERT INTO results (image_id, service, status, data)
SELECT image_id, service, 'success', '{"predictions": []}'
FROM generate_series($1::bigint, $2::bigint) AS image_id, unnest('{clip,yolov8,ocr,blip}'::text[]) AS service
"""
MERGES = """
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT image_id, '{1}', '{yolov8}', '{}', '{}', 0, 1, '' FROM generate_series($1::bigint, $2::bigint) AS image_id
"""


@pytest.mark.slow(reason="11 s: fills tables with two million rows")
@pytest.mark.timeout(300)
async def test_a_question_with_nothing_stale_costs_the_same_at_two_million_results_as_at_ten_thousand(
    fleet: Fleet, other_rows: asyncpg.Connection
) -> None:
    rows = fleet.rows
    for table in ("results", "merges"):  # to keep the disk free for the tests that run beside this one
        await rows.execute(f"ALTER TABLE {table} SET UNLOGGED")
    for one, images in ((other_rows, 2_500), (rows, 500_000)):
        await one.execute("INSERT INTO stages VALUES ('merge', NULL)")
        await one.execute("SELECT set_config('windmill.stage', 'merge', false)")  # what others write becomes stale
        await one.execute(NOT_DUE)
        await one.execute(ROWS, 1, images, timeout=200)
        await one.execute(MERGES, 1, images, timeout=100)
    few, many = await side_by_side(other_rows, rows, ASKED, queries()["claim_stale_images"], "merge", 50)
    print(f"with ten thousand results {few}, with two million {many}")  # noqa: T201
    assert await rows.fetchval("SELECT count(*) FROM results") == 2_000_000
    assert many.pages <= few.pages
    assert many.milliseconds / few.milliseconds <= MOST_RATIO
