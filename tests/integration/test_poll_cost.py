"""Asking for stale images costs what is stale, and not what is there."""

import json
import statistics
from typing import Any

import asyncpg
import pytest

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


async def poll(rows: asyncpg.Connection) -> tuple[float, int]:
    """Milliseconds (the median) and pages of one question, as PostgreSQL counts them."""
    taken, pages = [], 0
    for _ in range(ASKED):
        plan: list[dict[str, Any]] = json.loads(
            await rows.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {queries()['claim_stale_images']}", "merge", 50
            )
        )
        taken.append(plan[0]["Execution Time"])
        pages = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    return statistics.median(taken), pages


@pytest.mark.slow(reason="11 s: fills tables with two million rows")
@pytest.mark.timeout(300)
async def test_a_question_with_nothing_stale_costs_the_same_at_two_million_results_as_at_ten_thousand(
    fleet: Fleet,
) -> None:
    rows = fleet.rows
    await rows.execute("INSERT INTO stages VALUES ('merge', NULL)")
    await rows.execute("SELECT set_config('windmill.stage', 'merge', false)")  # what others write becomes stale
    await rows.execute(NOT_DUE)
    for table in ("results", "merges"):  # to keep the disk free for the tests that run beside this one
        await rows.execute(f"ALTER TABLE {table} SET UNLOGGED")
    seen = []
    for first, last in ((1, 2_500), (2_501, 500_000)):
        await rows.execute(ROWS, first, last, timeout=200)
        await rows.execute(MERGES, first, last, timeout=100)
        seen.append(await poll(rows))
    (few_ms, few_pages), (many_ms, many_pages) = seen
    counted = await rows.fetchval("SELECT count(*) FROM results")
    print(f"claim: {few_ms:.3f} ms, {few_pages} pages; with {counted:,} results {many_ms:.3f} ms, {many_pages} pages")  # noqa: T201
    assert counted == 2_000_000
    assert many_pages <= few_pages
    assert many_ms / few_ms <= MOST_RATIO
