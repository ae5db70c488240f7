"""Lists of jobs with filters: the same jobs whatever the plan, and few pages of the database however many there are."""

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.settings import Settings
from windmill.operate.jobs.serving import VisibleJobs, count_visible_jobs, page_of_jobs
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = pytest.mark.database

MANY, FEW = 20_000, 40
# Those that failed are the oldest, so whoever walks back from the newest one reads all.
_JOBS = """
INSERT INTO jobs (kind, preset, principal, status, error_code, inputs, parameters, ended_at)
SELECT 'made', 'film_' || n % 2, 'p' || n % 3, CASE WHEN n <= $2 THEN 'failed' WHEN n % 50 = 0 THEN 'queued'
       ELSE 'succeeded' END, CASE WHEN n <= $2 THEN 'USAGE' END, '{}', '{}',
       CASE WHEN n <= $2 OR n % 50 > 0 THEN now() END
FROM generate_series(1, $1) AS n
"""
ASKED = [
    VisibleJobs(),
    VisibleJobs(("failed",)),
    VisibleJobs(("failed", "queued"), "film_1"),
    VisibleJobs(("succeeded",), None, "USAGE"),
    VisibleJobs(None, None, "USAGE"),
    VisibleJobs(None, "film_0", "USAGE"),
    VisibleJobs(("expired", "running")),
]


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test") as pool:
        yield JobScene(pool, settings, fleet.rows)


def _fits(row: Sequence[str | None], wanted: VisibleJobs) -> bool:
    status, preset, code = row
    return (
        (wanted.statuses is None or status in wanted.statuses)
        and wanted.preset in (None, preset)
        and wanted.error_code in (None, code)
    )


@pytest.mark.parametrize("principal", [None, "p1"])
async def test_filters_leave_the_jobs_that_fit_page_by_page_and_their_number(
    scene: JobScene, principal: str | None
) -> None:
    await scene.rows.execute(_JOBS, 300, FEW)
    rows = await scene.rows.fetch(
        "SELECT job_id, status, preset, error_code FROM jobs WHERE $1::text IS NULL OR principal = $1"
        " ORDER BY job_id DESC",
        principal,
    )
    for wanted in ASKED:
        fitting = [row["job_id"] for row in rows if _fits(tuple(row)[1:], wanted)]
        public = {str(row["public_id"]): row["job_id"] for row in await scene.rows.fetch("SELECT * FROM jobs")}
        before, found = None, []
        while True:
            page = await page_of_jobs(scene.access, wanted, before, 7, principal)
            found += [public[str(job["public_id"])] for job in page.jobs]
            if page.last is None:
                break
            before = page.last
        assert found == fitting, wanted
        newest = fitting[0] if fitting else 0
        counts = [await count_visible_jobs(scene.access, wanted, principal, 50, after) for after in (0, newest)]
        assert counts == [min(len(fitting), 50), 0], wanted


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_jobs_of_a_rare_state_or_error_are_found_in_few_pages(scene: JobScene, mode: str) -> None:
    await scene.rows.execute(_JOBS, MANY, FEW)
    await scene.rows.execute("VACUUM ANALYZE jobs")
    await scene.rows.execute(f"SET plan_cache_mode = {mode}")
    for wanted in (VisibleJobs(("failed",)), VisibleJobs(("expired",)), VisibleJobs(None, None, "USAGE")):
        asked = (wanted.looked_through, None, wanted.error_code)
        for name, more in (("page_of_jobs_in_states", (2**62, 50)), ("count_jobs_in_states", (0, 10_000))):
            read = await scene.rows.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries()[name]}", *asked, *more
            )
            [plan] = json.loads(read)
            blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            assert blocks < 150, (name, wanted, plan)
