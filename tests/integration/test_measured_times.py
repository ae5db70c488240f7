"""What steps took is the weight and the cost of those of later jobs, and tells when a job will be done."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.settings import Settings
from windmill.jobs.measured_times import FEWEST
from windmill.jobs.submitting import NewStep
from windmill.operate.jobs.reading import show_job
from windmill.storage import database

pytestmark = pytest.mark.database

TOOK = "UPDATE steps SET ran = CASE step WHEN 'cut' THEN 8 ELSE 3 END WHERE status = 'succeeded'"
WORKER = """
INSERT INTO workers (process, worker_id, host, pid, service, started_at, done, failed, retried, unavailable, rate,
                     retry_rate, in_progress, concurrency, concurrency_auto, breaker)
SELECT gen_random_uuid(), 'w', 'h', 1, step, now(), 0, 0, 0, 0, 0, 0, 0, 2, false, 'closed'
FROM unnest('{cut,join}'::text[]) AS step
"""


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test", max_size=4) as pool:
        yield JobScene(pool, settings, fleet.rows)


async def measured(jobs: JobScene, number: int = FEWEST) -> None:
    """Jobs whose two tasks of the first step took 4 s each, and the one of the second 3 s."""
    for _ in range(number):
        await jobs.submit(cut=2)
    await jobs.run_step("cut")
    await jobs.run_step("join")
    await jobs.rows.execute(TOOK)


async def weights(jobs: JobScene, job: int) -> list[tuple[float, float]]:
    rows = await jobs.rows.fetch("SELECT weight, cost FROM steps WHERE job_id = $1 ORDER BY position", job)
    return [(row["weight"], row["cost"]) for row in rows]


async def test_steps_weigh_what_they_took_and_their_tasks_cost_it(jobs: JobScene) -> None:
    await measured(jobs)
    assert await weights(jobs, await jobs.submit()) == [(8, 4), (3, 3)]


async def test_what_was_done_too_seldom_says_nothing(jobs: JobScene) -> None:
    await measured(jobs, FEWEST - 1)
    assert await weights(jobs, await jobs.submit()) == [(1, 1), (1, 1)]


async def test_what_the_submitter_says_counts(jobs: JobScene) -> None:
    await measured(jobs)
    job = await jobs.submit(steps=(NewStep("cut", 1, weight=5, cost=2), NewStep("join", 1)))
    assert await weights(jobs, job) == [(5, 2), (3, 3)]


async def test_a_job_says_when_it_is_done_what_is_ahead_and_what_it_cost(jobs: JobScene, settings: Settings) -> None:
    await measured(jobs)
    await jobs.rows.execute(WORKER)
    await jobs.submit(cut=3, principal="other")
    job = await jobs.submit(cut=4, principal="other")
    shown = await show_job(settings, await jobs.public_id(job))
    # Seven tasks of 4 s, two at a time; then one of 3 s.
    assert (shown["tasks_ahead"], shown["eta_seconds"], shown["cost_seconds"]) == (3, 19, 0)


async def test_a_job_that_has_ended_says_what_it_cost_and_no_more(jobs: JobScene, settings: Settings) -> None:
    await measured(jobs)
    job = await jobs.rows.fetchval("SELECT max(job_id) FROM jobs")
    shown = await show_job(settings, await jobs.public_id(job))
    assert (shown["cost_seconds"], "eta_seconds" in shown) == (11, False)
    assert [step["ran"] for step in shown["steps"]] == [8, 3]
