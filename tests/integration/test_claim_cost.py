"""A claim costs the same however many tasks wait."""

import uuid

import asyncpg
import pytest

from tests.integration.explained import side_by_side
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


async def fill(rows: asyncpg.Connection, first: int, last: int) -> None:
    for statement in (JOBS, STEPS, TASKS):
        await rows.execute(statement, first, last, timeout=300)


@pytest.mark.slow(reason="60 s: fills a table with a million tasks")
@pytest.mark.timeout(400)
async def test_a_claim_among_a_million_tasks_costs_what_it_costs_among_a_thousand(
    fleet: Fleet, other_rows: asyncpg.Connection
) -> None:
    rows = fleet.rows
    for table in ("jobs", "steps", "tasks"):  # to keep the disk free for the tests that run beside this one
        await rows.execute(f"ALTER TABLE {table} SET UNLOGGED")
        await rows.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    for one in (rows, other_rows):
        await fill(one, 1, 10)
    # As misleading as autovacuum may leave them for a while: statistics of ten jobs, but one table up to date.
    await rows.execute("ANALYZE jobs, steps, tasks")
    await fill(rows, 11, 10_000)
    await rows.execute("ANALYZE jobs")
    claim = (queries()["claim_task"], "cut", 1, uuid.uuid4(), 30.0, "a worker")
    few, many = await side_by_side(other_rows, rows, CLAIMS, *claim)
    print(f"of a thousand {few}, of a million {many}")  # noqa: T201
    assert await rows.fetchval("SELECT count(*) FROM tasks WHERE status = 'queued'") == 1_000_000
    assert many.pages / few.pages <= MOST_RATIO
    assert many.milliseconds / few.milliseconds <= MOST_RATIO
