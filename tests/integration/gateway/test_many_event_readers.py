"""Hundreds of readers of two gateways, who leave and come back at random: each sees each of its events once, in order.
STREAM_SECONDS says for how long events are written."""

import asyncio
import os
import random
import sys
from collections.abc import Sequence

import asyncpg
import pytest

from tests.integration.gateway_scene import GatewayScene
from tests.integration.raw_event_reader import RawEventReader
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.storage import database

pytestmark = pytest.mark.database

SECONDS = float(os.environ.get("STREAM_SECONDS", "40"))
EVENTS, JOBS, WRITERS = 20_000, 40, 4
FLEET_READERS, JOB_READERS = 100, 400
MOST_GROWTH = 1.25

MAKE = """
INSERT INTO jobs (kind, inputs, parameters, status, principal) SELECT 'made', '{}', '{}', 'running', 'ann'
FROM generate_series(1, $1) RETURNING job_id, public_id
"""
WRITE = """
WITH counted AS (UPDATE jobs SET last_event = last_event + $2 WHERE job_id = $1 RETURNING job_id, last_event)
INSERT INTO job_events (job_id, seq, kind, data)
SELECT job_id, last_event - $2 + number, 'progress', '{"progress": 0.5}' FROM counted, generate_series(1, $2) AS number
"""


async def write(settings: Settings, jobs: Sequence[int], number: int) -> None:
    """So many events of these jobs, evenly over the time, in transactions that overlap and commit in any order."""
    loop = asyncio.get_running_loop()
    begun, written = loop.time(), 0
    async with database.connection(settings, "writer") as rows:
        while written < number:
            some = min(random.randint(1, 20), number - written)
            async with rows.transaction():
                await rows.fetchval("SELECT pg_current_xact_id()")
                await asyncio.sleep(random.uniform(0, 0.02))  # so that those who began later commit before
                await rows.execute(WRITE, jobs[written // 20 % len(jobs)], some)
            written += some
            await asyncio.sleep(max(begun + SECONDS * written / number - loop.time(), 0))  # as fast as it is asked for


@pytest.mark.timeout(SECONDS + 400)
@pytest.mark.slow(reason="90 s: readers come and go while events are written")
async def test_each_reader_sees_each_of_its_events_once_and_in_order(scene: GatewayScene) -> None:
    limits = {"GATEWAY_REQUESTS_PER_MINUTE": "10000000", "GATEWAY_STREAMS_PER_KEY": "100000"}
    gateways, ports = [], []
    for _ in range(2):
        gateways.append(await scene.start(**limits))
        ports.append(int(scene.url.rpartition(":")[2]))
    key = await scene.key("viewer")
    made = await scene.fleet.rows.fetch(MAKE, JOBS)
    writing = [
        asyncio.create_task(
            write(scene.fleet.settings, [row["job_id"] for row in made[part::WRITERS]], EVENTS // WRITERS)
        )
        for part in range(WRITERS)
    ]
    fleet = [RawEventReader(ports, "/events", key, EVENTS, gap_free=False, last=(0, 0)) for _ in range(FLEET_READERS)]
    of_jobs: list[tuple[RawEventReader, asyncpg.Record]] = [
        (RawEventReader(ports, f"/jobs/{row['public_id']}/events", key, EVENTS, gap_free=True), row)
        for row in (made[number % JOBS] for number in range(JOB_READERS))
    ]
    readers = [*fleet, *(reader for reader, _ in of_jobs)]
    following = [asyncio.create_task(reader.follow()) for reader in readers]
    loop = asyncio.get_running_loop()
    half = loop.time() + SECONDS / 2
    await until(lambda: loop.time() >= half or any(reader.wrong for reader in readers), SECONDS)
    before = [gateway.resident_mb() for gateway in gateways]
    await asyncio.gather(*writing)
    totals = {row["job_id"]: row["last_event"] for row in await scene.fleet.rows.fetch("SELECT * FROM jobs")}
    for reader, row in of_jobs:
        reader.expected = totals[row["job_id"]]
    for reader in readers:
        reader.leaves = False
    await asyncio.wait(following, timeout=200)
    after = [gateway.resident_mb() for gateway in gateways]
    late = [
        f"{reader.seen} of {reader.expected} at {reader.ports}" for reader in readers if reader.seen != reader.expected
    ]
    assert late == [], "\n".join(gateway.log[-3_000:] for gateway in gateways)
    assert [reader.wrong for reader in readers if reader.wrong] == []
    assert [reader.seen for reader in fleet] == [EVENTS] * FLEET_READERS
    assert [reader.seen for reader, _ in of_jobs] == [totals[row["job_id"]] for _, row in of_jobs]
    connections, seen = sum(reader.connections for reader in readers), sum(reader.seen for reader in readers)
    sys.stdout.write(f"{connections} connections, {seen} events; MB {before} in the middle, {after} in the end\n")
    assert connections > 2 * len(readers)
    assert all(now < MOST_GROWTH * then for now, then in zip(after, before, strict=True))
