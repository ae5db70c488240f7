"""What there is to do is told in the same time however much it is: a metric, a scaler and all processes ask for it."""

import asyncpg
import pytest

from tests.integration.explained import side_by_side
from tests.integration.fleet import Fleet
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

ASKED = 11
MOST_RATIO = 1.5
TASKS = """
INSERT INTO tasks (job_id, position, shard, step, step_version, principal, status, not_before, tag, place, input)
SELECT n, 0, shard, 'cut', 1, 'me', 'queued', NULL, random(), random(), '{}'
FROM generate_series($1::bigint, $2::bigint) AS n, generate_series(0, 99) AS shard
"""
PUT_OFF = "UPDATE tasks SET not_before = 'infinity' WHERE job_id = 1"


@pytest.mark.slow(reason="15 s: fills a table with 200,000 tasks")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["list_step_work", "is_reaping_due"])
async def test_it_costs_the_same_at_two_hundred_thousand_tasks_as_at_twenty_thousand(
    name: str, fleet: Fleet, other_rows: asyncpg.Connection
) -> None:
    for rows, last in ((other_rows, 200), (fleet.rows, 2_000)):
        await rows.execute(TASKS, 1, last, timeout=200)
        await rows.execute(PUT_OFF)
        await rows.execute("VACUUM ANALYZE tasks", timeout=100)
    few, many = await side_by_side(other_rows, fleet.rows, ASKED, queries()[name])
    assert many.pages <= few.pages * MOST_RATIO, (few, many)
