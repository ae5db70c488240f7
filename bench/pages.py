"""What each page costs with a million images and a hundred thousand jobs.

    python bench/pages.py [--images N] [--jobs N] [--plans FILE]

Rows are made by the database. Each page is asked for several times in this process, without a network: its server time
is told as the time on the clock, the CPU time of the handler, and what PostgreSQL took for its statements, the slowest
by name. Plans are those of EXPLAIN (ANALYZE, BUFFERS) for every statement.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import page_rows
from bench.gateway_statements import Statement
from bench.search import backend_seconds
from bench.temporary_fleet import temporary_fleet
from gateway.app import create_app
from gateway.border import Border
from gateway.server import open_gateway
from windmill import broker
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.keys.keys import NewKey, create_key
from windmill.process.lifecycle import Program
from windmill.storage import database
from windmill.storage.audit_log import Actor
from windmill.storage.database import Pool
from windmill.storage.queries import queries

TIMES = 5
PAUSE_SECONDS = 1.1
"""What is believed for a second is asked for again by each."""
PAGES = {
    "overview": "/ui/",
    "its changes": "/ui/live/overview",
    "workers": "/ui/workers",
    "service": "/ui/services/yolov8",
    "runs": "/ui/runs",
    "run": "/ui/runs/1000",
    "failures": "/ui/failures",
    "images": "/ui/images",
    "images, most disagreement": "/ui/images?sort=doubt",
    "images of a group": "/ui/images?group=holidays",
    "search, frequent label": "/ui/images?query=label:l1",
    "search, rare label": "/ui/images?query=label:l900",
    "search, absent label": "/ui/images?query=label:unicorn",
    "images alike": "/ui/images?similar={image}",
    "inspector": "/ui/images/{image}",
    "inspector, of a query": "/ui/images/{image}?query=label:l900",
    "jobs": "/ui/jobs",
    "jobs that succeeded": "/ui/jobs?status=succeeded",
    "jobs that failed": "/ui/jobs?status=failed",
    "jobs cancelled": "/ui/jobs?status=cancelled",
    "jobs expired, of a preset": "/ui/jobs?status=expired&preset=video_overlay_v1",
    "jobs of a preset": "/ui/jobs?preset=dataset_report_v1",
    "jobs with a code": "/ui/jobs?code=SERVICE_TIMEOUT",
    "jobs with a code that none has": "/ui/jobs?code=OUT_OF_MEMORY",
    "open jobs": "/ui/jobs?status=open",
    "job": "/ui/jobs/{job}",
    "presets": "/ui/compose",
    "compose": "/ui/compose/cinematic_portrait_v1",
    "audit": "/ui/audit",
    "keys": "/ui/keys",
    "webhooks": "/ui/webhooks",
    "webhook": "/ui/webhooks/{webhook}",
}


@dataclass(frozen=True)
class PageCost:
    """Milliseconds: the median on the clock, the CPU time of this process and of the backends of PostgreSQL, and what
    all statements took together."""

    name: str
    wall: float
    cpu: float
    backends: float
    database: float
    slowest: str
    slowest_ms: float
    statements: Sequence[Statement]


@dataclass
class StatementTimes:
    """Notes what connections of a pool ask. Mutable."""

    seen: list[tuple[Statement, float]]
    backends: list[int]

    def cpu_seconds(self) -> float:
        return sum(map(backend_seconds, self.backends))

    def note(self, asked: Any) -> None:  # noqa: ANN401 - the driver's record
        self.seen.append((Statement(asked.query, asked.args or ()), 1_000 * asked.elapsed))


@asynccontextmanager
async def _client(settings: Settings, pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, so to say, of an admin."""
    made = await create_key(pool, settings, Actor("bench"), NewKey("bench", "bench", "admin"))
    program = Program("bench", "bench", settings, asyncio.Event())
    gateway = await open_gateway(program, pool)
    transport = httpx.ASGITransport(Border(create_app(gateway), gateway))
    cookies = {"windmill_key": made.text}
    async with (
        gateway.image_fleet,
        httpx.AsyncClient(transport=transport, base_url="http://localhost", cookies=cookies, timeout=120) as client,
    ):
        yield client


async def measure(client: httpx.AsyncClient, times: StatementTimes, name: str, path: str) -> PageCost:
    walls, cpus, totals, before = [], [], [], 0.0
    worst: dict[str, float] = {}
    for number in range(TIMES + 1):
        times.seen.clear()
        await asyncio.sleep(PAUSE_SECONDS)
        wall, cpu = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert answer.status_code in (200, 204), f"{path}: {answer.status_code} {answer.text[:500]}"
        if not number:
            before = times.cpu_seconds()
        else:
            walls.append(1_000 * wall)
            cpus.append(1_000 * cpu)
            totals.append(sum(took for _, took in times.seen))
            for one, took in times.seen:
                worst[one.sql] = max(worst.get(one.sql, 0.0), took)
    slowest = max(worst, key=lambda one: worst[one], default="")
    names = {sql: known for known, sql in queries().items()}
    asked = [one for one, _ in times.seen]
    wall, cpu, total = (statistics.median(one) for one in (walls, cpus, totals))
    backends = 1_000 * (times.cpu_seconds() - before) / TIMES
    return PageCost(name, wall, cpu, backends, total, names.get(slowest, slowest[:40]), worst.get(slowest, 0.0), asked)


async def examples(pool: Pool) -> Mapping[str, str]:
    """An image, a job and a webhook to look at."""
    row = await pool.fetchrow(
        "SELECT (SELECT max(image_id) - 5 FROM images)::text AS image,"
        " (SELECT public_id FROM jobs ORDER BY job_id LIMIT 1)::text AS job,"
        " (SELECT webhook_id FROM webhooks LIMIT 1)::text AS webhook"
    )
    assert row
    return dict(row)


async def measure_pages(settings: Settings, tell: Callable[[str], None], plans: Path | None) -> None:
    times = StatementTimes([], [])

    async def listen(connection: Any) -> None:  # noqa: ANN401 - the driver's
        connection.add_query_logger(times.note)
        times.backends.append(await connection.fetchval("SELECT pg_backend_pid()"))

    async with database.pool(settings, "bench", max_size=4) as pool, _client(settings, pool) as client:
        named = await examples(pool)
        held = [await pool.acquire() for _ in range(4)]
        for one in held:
            await listen(one)
        for one in held:
            await pool.release(one)
        tell(
            "| page | ms on the clock | CPU-ms of the gateway | CPU-ms of PostgreSQL | ms of statements |"
            " the slowest of them | ms at worst |"
        )
        tell("|---|---|---|---|---|---|---|")
        for name, path in PAGES.items():
            cost = await measure(client, times, name, path.format(**named))
            tell(
                f"| {cost.name} | {cost.wall:.0f} | {cost.cpu:.0f} | {cost.backends:.0f} | {cost.database:.0f} |"
                f" {cost.slowest} | {cost.slowest_ms:.1f} |"
            )
            if plans:
                await _explain(pool, cost, plans)


async def _explain(pool: Pool, cost: PageCost, plans: Path) -> None:
    with plans.open("a") as file:
        file.write(f"\n== {cost.name}\n")
        for one in cost.statements:
            if one.sql.lstrip().upper().startswith(("SELECT", "WITH", "--", "(")):
                rows = await pool.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {one.sql}", *one.arguments)
                file.write("\n".join([one.sql, *(row[0] for row in rows), "", ""]))


async def run(settings: Settings, images: int, jobs: int, tell: Callable[[str], None], plans: Path | None) -> None:
    begun = time.monotonic()
    async with database.connection(settings, "bench") as connection:
        await page_rows.fill(connection, images, jobs)
    async with broker.connection(settings, "bench") as opened:
        await broker.declare(opened, settings, load_fleet(settings.service_config).services)
    tell(f"{images:,} images and {jobs:,} jobs made in {time.monotonic() - begun:.0f} s; load {os.getloadavg()[0]:.1f}")
    await measure_pages(settings, tell, plans)
    tell(f"load {os.getloadavg()[0]:.1f}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--jobs", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--plans", type=Path, help="a file to which the plans of all statements are written")
    given = parser.parse_args(arguments)
    with temporary_fleet() as environ:
        settings = Settings.from_env(environ)
        asyncio.run(run(settings, given.images, given.jobs, lambda line: print(line, flush=True), given.plans))


if __name__ == "__main__":
    main()
