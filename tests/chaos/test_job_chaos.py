"""Jobs whose workers are killed and frozen, and whose servers restart and forget: `make chaos`."""

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.chaos.conftest import STATE
from tests.chaos.job_scene import LEASE, SHARDS, STEPS, JobChaos, delete_queues, restarted
from tests.chaos.outages import Restart
from tests.chaos.telling import tell
from tests.integration.fleet import Fleet
from windmill.core.settings import Settings

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(2_400)]

JOBS = 300
KILLS = 30
WORKERS = 3


@pytest.fixture
async def chaos(fleet: Fleet, settings: Settings) -> AsyncIterator[JobChaos]:
    fleet.environ["TASK_LEASE_SECONDS"] = LEASE
    yield JobChaos(fleet, settings)
    await fleet.kill_all()
    await delete_queues(settings)


async def test_whatever_dies_every_job_ends_and_every_shard_has_its_effect_once(
    chaos: JobChaos, servers: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    broker_restart = restarted(Restart(STATE, "rabbitmq", int(servers["QUEUE_PORT"])))
    database_restart = restarted(Restart(STATE, "postgres", int(servers["DB_PORT"])))
    others = [broker_restart, database_restart, chaos.purge, chaos.freeze] * 2
    between = KILLS // len(others)
    faults = [fault for other in others for fault in (*[chaos.kill] * between, other)]
    faults += [chaos.kill] * (KILLS - between * len(others))
    for _ in range(WORKERS):
        await chaos.start_worker()
    await chaos.through(faults, JOBS)
    verdict = await chaos.finish()
    what = f"{chaos.kills} workers killed, both servers restarted twice, {chaos.purged} tokens purged at two moments"
    tell(capsys, f"{JOBS} jobs of {len(STEPS)} steps of {SHARDS} shards; {what}, {chaos.frozen} tasks frozen")
    tell(capsys, verdict.line())
    assert chaos.kills == KILLS
    assert chaos.frozen > 0
    verdict.must_be_whole(JOBS)
