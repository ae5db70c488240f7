"""What there is to do is told in the same time however much it is: a metric, a scaler and all processes ask for it."""

import json
import statistics
from typing import Any

import asyncpg
import pytest

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


async def asked(rows: asyncpg.Connection, name: str, *given: object) -> tuple[float, int]:
    """Milliseconds (the median) and pages, as PostgreSQL counts them."""
    taken, pages = [], 0
    for _ in range(ASKED):
        explained = await rows.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {queries()[name]}", *given)
        plan: list[dict[str, Any]] = json.loads(explained)
        taken.append(plan[0]["Execution Time"])
        pages = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    return statistics.median(taken), pages


@pytest.mark.slow(reason="15 s: fills a table with 200,000 tasks")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["list_step_work", "is_reaping_due"])
async def test_it_costs_the_same_at_two_hundred_thousand_tasks_as_at_twenty_thousand(name: str, fleet: Fleet) -> None:
    seen = []
    for first, last in ((1, 200), (201, 2_000)):
        await fleet.rows.execute(TASKS, first, last, timeout=200)
        await fleet.rows.execute(PUT_OFF)
        await fleet.rows.execute("VACUUM ANALYZE tasks", timeout=100)
        seen.append(await asked(fleet.rows, name))
    (_, few), (_, many) = seen
    assert many <= few * MOST_RATIO, seen
