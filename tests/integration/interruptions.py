"""How long a fleet stood still when something it needs was lost under load."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import asyncpg

from tests.integration.fleet import Command, Fleet
from tests.parallel import free_offset
from tests.waiting import until
from windmill.core.services import load_fleet

SERVICE = "yolov8"
# Of the span from $1 to $2, its ends included: the longest stretch without a row.
GAP = """
SELECT max(later - moment) FROM (
    SELECT moment, lead(moment) OVER (ORDER BY moment) AS later FROM (
        SELECT result_created AS moment FROM results WHERE result_created > $1 AND result_created < $2
        UNION ALL SELECT $1 UNION ALL SELECT $2
    ) AS moments
) AS stretches
"""


async def standstills(rows: asyncpg.Connection, moments: Sequence[datetime]) -> list[float]:
    """For how many seconds no row came after each of these moments, at most, until the next of them or the last row."""
    last: datetime = await rows.fetchval("SELECT max(result_created) FROM results")
    gaps: list[timedelta] = [await rows.fetchval(GAP, *span) for span in pairwise([*moments, last])]
    return [gap.total_seconds() for gap in gaps]


async def loaded_worker(fleet: Fleet, jobs: int, seconds: float, concurrency: int) -> Command:
    """A worker in the middle of its work, on jobs that a service takes so long for."""
    port = load_fleet(Path(fleet.settings.service_config)).services[SERVICE].port
    offset = free_offset([port])
    fleet.start("tests.e2e.answering", str(port + offset), str(seconds))
    await fleet.register_pictures(jobs)
    end = await fleet.produce("--services", SERVICE, "--quiet")
    assert end.code == 0, end.err
    return await fleet.worker(SERVICE, SERVICE_PORT_OFFSET=str(offset), WORKER_CONCURRENCY=str(concurrency))


async def rows_reach(rows: asyncpg.Connection, number: int, worker: Command, seconds: float = 120) -> int:
    """How many rows there are once there are so many; the worker must not end meanwhile."""
    there = 0

    async def reached() -> bool:
        nonlocal there
        there = int(await rows.fetchval("SELECT count(*) FROM results"))
        assert there >= number or worker.process.poll() is None, worker.log
        return there >= number

    await until(reached, seconds, lambda: f"{there} of {number} rows\n{worker.log}")
    return there
