"""All shards of a step end in the same instant: exactly one of them starts the next step."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.chaos.telling import tell
from tests.integration.claimants import ClaimantProcess, claimant_processes
from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from windmill.core.settings import Settings
from windmill.storage import database

pytestmark = [pytest.mark.database, pytest.mark.broker]

SHARDS = 64
AHEAD_SECONDS = 0.02
"""So that both processes have their order when the moment comes."""
NOT_ONCE = """
SELECT count(*) FROM jobs AS j
WHERE (SELECT count(*) FROM job_events AS e
       WHERE e.job_id = j.job_id AND e.kind = 'step_started' AND e.position = 1) <> 1
   OR (SELECT count(*) FROM tasks AS t WHERE t.job_id = j.job_id AND t.position = 1) <> 1
   OR (SELECT settled FROM steps AS s WHERE s.job_id = j.job_id AND s.position = 0) <> $1
   OR j.status <> 'succeeded'
"""


@pytest.fixture
def claimants(environ: Mapping[str, str], tmp_path: Path) -> Iterator[Sequence[ClaimantProcess]]:
    with claimant_processes(environ, tmp_path, pool_size=SHARDS // 2) as two:
        yield two


@pytest.fixture
async def jobs(fleet: Fleet, settings: Settings) -> AsyncIterator[JobScene]:
    async with database.pool(settings, "test") as pool:
        yield JobScene(pool, settings, fleet.rows)


def claimed(claimants: Sequence[ClaimantProcess]) -> list[list[str]]:
    """The leases that each process has, when there is nothing left to claim."""
    for one in claimants:
        one.tell("claim_many", step="cut", number=SHARDS // 2)
    return [[task["lease"] for task in one.answer() if task] for one in claimants]


def ended_at_once(claimants: Sequence[ClaimantProcess], leases: Sequence[Sequence[str]]) -> bool:
    at = time.time() + AHEAD_SECONDS
    for one, own in zip(claimants, leases, strict=True):
        one.tell("end", leases=own, how="succeed", at=at)
    return all([good for one in claimants for good in one.answer()])


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(200, marks=pytest.mark.slow(reason="2 minutes: 12,800 tasks are claimed and ended")),
        pytest.param(1_000, marks=pytest.mark.chaos),
    ],
)
async def test_of_64_shards_that_end_in_the_same_millisecond_one_starts_the_next_step(
    jobs: JobScene, claimants: Sequence[ClaimantProcess], rounds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    for number in range(rounds):
        await jobs.submit(cut=SHARDS)
        leases = claimed(claimants)
        assert sum(map(len, leases)) == SHARDS
        assert ended_at_once(claimants, leases)
        last = claimants[number % 2].ask("claim", step="join")
        assert last, "the next step was not started"
        assert claimants[1 - number % 2].ask("claim", step="join") is None, "the next step was started twice"
        assert claimants[number % 2].ask("end", leases=[last["lease"]], how="succeed") == [True]
    seconds = time.monotonic() - began
    wrong = await jobs.rows.fetchval(NOT_ONCE, SHARDS)
    done = f"{SHARDS} shards ended at once {rounds:,} times in {seconds:.0f} s"
    tell(capsys, f"{done}: {wrong} times the next step did not start, or not once")
    assert await jobs.rows.fetchval("SELECT count(*) FROM jobs") == rounds
    assert wrong == 0
