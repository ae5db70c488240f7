"""A claim costs the same however many tasks wait."""

import json
import statistics
import uuid
from typing import Any

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

CLAIMS = 101
MOST_RATIO = 1.5
JOBS = """
INSERT INTO jobs (job_id, kind, inputs, parameters, status, priority, principal)
SELECT n, 'test', '{}', '{}', 'running', 0, 'principal ' || n % 7
FROM generate_series($1::bigint, $2::bigint) AS n
"""
STEPS = """
INSERT INTO steps (job_id, position, step, version, status, planned, plan_cursor)
SELECT n, 0, 'cut', 1, 'running', 100, NULL FROM generate_series($1::bigint, $2::bigint) AS n
"""
TASKS = """
INSERT INTO tasks (job_id, position, shard, step, step_version, principal, tag, place, input)
SELECT n, 0, shard, 'cut', 1, 'principal ' || n % 7, random() * 1000000, random() * 1000000, '{}'
FROM generate_series($1::bigint, $2::bigint) AS n, generate_series(0, 99) AS shard
"""


async def claim(rows: asyncpg.Connection) -> tuple[float, float]:
    """Milliseconds and pages of a claim, as PostgreSQL counts them: the medians of many, each undone."""
    taken, pages = [], []
    for _ in range(CLAIMS):
        undone = rows.transaction()
        await undone.start()
        statement = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) {queries()['claim_task']}"
        plan: list[dict[str, Any]] = json.loads(
            await rows.fetchval(statement, "cut", 1, uuid.uuid4(), 30.0, "a worker")
        )
        await undone.rollback()
        taken.append(plan[0]["Execution Time"])
        pages.append(plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"])
    return statistics.median(taken), statistics.median(pages)


async def fill(rows: asyncpg.Connection, first: int, last: int) -> None:
    for statement in (JOBS, STEPS, TASKS):
        await rows.execute(statement, first, last, timeout=300)


@pytest.mark.slow(reason="60 s: fills a table with a million tasks")
@pytest.mark.timeout(400)
async def test_a_claim_among_a_million_tasks_costs_what_it_costs_among_a_thousand(fleet: Fleet) -> None:
    rows = fleet.rows
    for table in ("jobs", "steps", "tasks"):  # to keep the disk free for the tests that run beside this one
        await rows.execute(f"ALTER TABLE {table} SET UNLOGGED")
        await rows.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    await fill(rows, 1, 10)
    few_ms, few_pages = await claim(rows)
    # As misleading as autovacuum may leave them for a while: statistics of ten jobs, but one table up to date.
    await rows.execute("ANALYZE jobs, steps, tasks")
    await fill(rows, 11, 10_000)
    await rows.execute("ANALYZE jobs")
    many_ms, many_pages = await claim(rows)
    print(f"claim: {few_ms:.3f} ms, {few_pages} pages; of a million {many_ms:.3f} ms, {many_pages} pages")  # noqa: T201
    assert await rows.fetchval("SELECT count(*) FROM tasks WHERE status = 'queued'") == 1_000_000
    assert many_pages / few_pages <= MOST_RATIO
    assert many_ms / few_ms <= MOST_RATIO
