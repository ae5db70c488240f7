"""A database that dies under load, and a standby that takes its place."""

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dev.servers import databases
from dev.servers.postgres_programs import installed
from tests.chaos.telling import tell
from tests.integration.fleet import Fleet, running_fleet, unavailable
from tests.integration.interruptions import SERVICE, loaded_worker, rows_reach, standstills
from tests.integration.standby import Pair
from tests.parallel import RETRY_DELAYS
from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.migrations import migrate

pytestmark = [pytest.mark.broker, pytest.mark.database]

JOBS = 4_000
STANDSTILL = 15


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    programs = next((one for one in installed() if (one.bin / "pg_basebackup").exists()), None)
    if programs is None:
        unavailable("no pg_basebackup is installed here")
    assert programs is not None
    try:
        started = Pair(tmp_path, programs)
    except WindmillError as error:
        unavailable(str(error))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def environ(pair: Pair, servers: Mapping[str, str]) -> Iterator[dict[str, str]]:
    unique = uuid.uuid4().hex[:8]
    own = {"DB_NAME": f"windmill_{unique}", "QUEUE_PREFIX": f"test_{unique}_", "RETRY_DELAYS": RETRY_DELAYS}
    found = {**servers, **pair.variables(), **own}
    settings = Settings.from_env(found)

    async def create() -> None:
        await databases.create(settings, settings.db_name)
        async with database.connection(settings, "tests") as connection:
            await migrate(connection)

    async def forget() -> None:
        async with broker.connection(settings, "tests") as opened:
            await broker.delete_queues(opened, settings, [SERVICE])

    asyncio.run(create())
    yield found
    asyncio.run(forget())


@pytest.mark.slow(reason="26 s: builds a second PostgreSQL, and promotes it")
@pytest.mark.timeout(240)
async def test_no_acknowledged_job_is_lost_when_the_database_dies_and_its_standby_is_promoted(
    fleet: Fleet, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = await loaded_worker(fleet, JOBS, seconds=0.01, concurrency=4)
    there = await rows_reach(fleet.rows, JOBS // 4, worker)
    assert there < JOBS, "all was done before the fault"
    died = datetime.now(UTC)
    pair.primary.kill()
    await worker.says("the database is unavailable")
    pair.promote()
    async with running_fleet(fleet.environ, fleet.settings, fleet.folder) as eyes:
        await rows_reach(eyes.rows, JOBS, worker)
        [stood] = await standstills(eyes.rows, [died])
        assert (await worker.stop()).code == 0
        left = await eyes.depth(SERVICE), await eyes.depth(SERVICE, ".failed")
        rows, good = await eyes.count(), await eyes.count("status = 'success'")
        line = f"{JOBS:,} jobs, {rows:,} rows, {left} left; stood still for {stood:.1f} s"
        tell(capsys, f"standby promoted: {line}")
        assert (rows, good, left) == (JOBS, JOBS, (0, 0))
        assert await eyes.count("attempt > 1") == 0
        assert stood < STANDSTILL


async def test_a_standby_is_used_only_by_who_asks_for_any_server(environ: Mapping[str, str], pair: Pair) -> None:
    alone = {**environ, "DB_HOST": f"127.0.0.1:{pair.standby.port}"}
    async with database.connection(Settings.from_env(alone), "test") as opened:
        assert await opened.fetchval("SELECT pg_is_in_recovery()")
    wanted = Settings.from_env({**alone, "DB_TARGET_SESSION_ATTRS": "read-write"})
    with pytest.raises(WindmillError) as caught:
        async with database.connection(wanted, "test"):
            pass
    assert caught.value.code == "DATABASE_UNAVAILABLE"
