"""A fleet whose workers of steps are all gone still has tokens, by which somebody starts new ones."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.telling import tell
from tests.e2e.worker_scene import WorkerScene, worker_scene
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.core.settings import Settings
from windmill.jobs.submitting import NewStep

pytestmark = [pytest.mark.database, pytest.mark.broker]

SINCE_EXPIRY = "SELECT extract(epoch FROM clock_timestamp() - $1::timestamptz)::float8"
MOST_SECONDS = 5


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[WorkerScene]:
    async with worker_scene(fleet, settings) as opened:
        yield opened


@pytest.mark.slow(reason="16 s: leases have to run out")
async def test_tokens_are_there_five_seconds_after_leases_expire_though_nobody_runs_steps_and_queues_were_purged(
    scene: WorkerScene, capsys: pytest.CaptureFixture[str]
) -> None:
    await scene.fleet.worker("clip")
    lost = [await scene.worker("wait") for _ in range(2)]
    await scene.submit(NewStep("wait", 1), shards=6)
    await scene.started(4)
    for worker in lost:
        await worker.kill()
    await scene.fleet.take_all("wait")
    expiry = await scene.fleet.rows.fetchval("SELECT max(lease_until) FROM tasks")

    async def has_tokens() -> bool:
        return await scene.fleet.depth("wait") == 6

    await until(has_tokens, 60, scene.fleet.logs)
    seconds = await scene.fleet.rows.fetchval(SINCE_EXPIRY, expiry)
    tell(capsys, f"zero step workers, queues purged: 6 tokens {seconds:.1f} s after the last of 4 leases expired")
    assert seconds <= MOST_SECONDS
