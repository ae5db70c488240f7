"""Heartbeat rows on a real PostgreSQL, and how `status` shows them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.operate.status.figures import FleetStatus, ServiceStatus, Worker
from windmill.operate.status.reading import read_status
from windmill.process.heartbeat import Heartbeat, statement_executor
from windmill.process.runner import background
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = [pytest.mark.database, pytest.mark.broker]

AWAY = WindmillError("SERVICE_UNREACHABLE", "refused")


async def answer(_: object) -> None:
    raise AssertionError("nobody asks the service here")


class Process:
    """The heartbeat of one worker process."""

    def __init__(self, settings: Settings, services: str) -> None:
        self.settings = settings
        self.states = {
            service.name: ServiceState(service, settings, answer)
            for service in load_fleet(settings.service_config).select(services)
        }

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Process"]:
        async with database.pool(self.settings, "test") as pool:
            heartbeat = Heartbeat(
                list(self.states.values()), self.settings, statement_executor(pool, self.settings), observe_seconds=0.05
            )
            async with background(heartbeat.run()):
                yield self


async def rows_of(fleet: Fleet) -> list[asyncpg.Record]:
    return list(await fleet.rows.fetch("SELECT * FROM workers ORDER BY service, process"))


async def there(fleet: Fleet, number: int) -> None:
    async def so_many() -> bool:
        return len(await rows_of(fleet)) == number

    await until(so_many, 10, f"{number} rows")


async def looked(fleet: Fleet, lost_seconds: float = 60) -> FleetStatus:
    services = load_fleet(fleet.settings.service_config).select("clip,ocr")
    return await read_status(fleet.settings, services, lost_seconds=lost_seconds)


async def clip(fleet: Fleet, lost_seconds: float = 60) -> ServiceStatus:
    return next(one for one in (await looked(fleet, lost_seconds)).services if one.service == "clip")


async def test_each_service_of_a_process_has_a_row_at_once_that_is_marked_stopped_at_the_end(fleet: Fleet) -> None:
    process = Process(fleet.settings, "clip,ocr")
    process.states["clip"].counts.update(Stored=7, Failed=1, RetryLater=2, Unavailable=3)
    async with process.running():
        await there(fleet, 2)
        [one, other] = await rows_of(fleet)
        assert (one["service"], other["service"], one["stopped_at"]) == ("clip", "ocr", None)
        assert (one["done"], one["failed"], one["retried"], one["unavailable"], other["done"]) == (7, 1, 2, 3, 0)
        assert one["last_job_at"] - one["heartbeat_at"] < timedelta(seconds=1)
        assert other["last_job_at"] is None
        status = await looked(fleet)
        assert [(row.service, row.lost, row.done) for row in status.workers] == [("clip", False, 7), ("ocr", False, 0)]
        process.states["clip"].counts["Stored"] += 1
    after = await rows_of(fleet)
    assert [(row["done"], row["stopped_at"] is None) for row in after] == [(8, False), (0, False)]
    assert (await looked(fleet)).workers == []
    assert (await clip(fleet)).workers == 0


async def test_two_processes_with_the_same_name_host_and_pid_have_rows_of_their_own(fleet: Fleet) -> None:
    async with Process(fleet.settings, "clip").running(), Process(fleet.settings, "clip").running():
        await there(fleet, 2)
        one, other = await rows_of(fleet)
        assert (one["worker_id"], one["host"], one["pid"]) == (other["worker_id"], other["host"], other["pid"])
        assert (await clip(fleet)).workers == 2


async def test_a_breaker_that_opens_is_seen_at_once_with_its_reason(fleet: Fleet) -> None:
    process = Process(fleet.settings, "clip")
    async with process.running():
        await there(fleet, 1)
        process.states["clip"].breaker.trip(AWAY)

        async def opened() -> bool:
            return (await clip(fleet)).breaker == "open"

        await until(opened, 5, "an open breaker")
        assert (await clip(fleet)).breaker_reason == "SERVICE_UNREACHABLE: refused"


async def silent(fleet: Fleet, seconds: float) -> Worker | None:
    """How `status` shows the only worker after some time without a heartbeat."""
    await fleet.rows.execute("UPDATE workers SET heartbeat_at = now() - make_interval(secs => $1)", seconds)
    found = (await looked(fleet)).workers
    return found[0] if found else None


async def test_without_a_heartbeat_a_worker_is_lost_after_a_minute_and_out_of_sight_after_an_hour(fleet: Fleet) -> None:
    async with Process(fleet.settings, "clip").running():
        await there(fleet, 1)
        for seconds, lost in ((59, False), (61, True), (3_500, True)):
            seen = await silent(fleet, seconds)
            assert seen is not None
            assert seen.lost is lost
        assert (await clip(fleet)).lost == 1
        assert (await clip(fleet, lost_seconds=3_550)).lost == 0
        assert await silent(fleet, 3_601) is None


async def test_rows_of_lost_workers_are_removed_after_seven_days(fleet: Fleet) -> None:
    async with Process(fleet.settings, "clip").running():
        await there(fleet, 1)
    await fleet.rows.execute(
        "INSERT INTO workers SELECT gen_random_uuid(), 'ocr', 'gone', 'h', 1, now(), now() - age, NULL, NULL,"
        " 1, 0, 0, 0, 0, 0, 0, 1, false, 'closed', NULL"
        " FROM unnest(ARRAY[interval '6 days 23 hours', interval '7 days 1 minute']) AS age"
    )
    async with Process(fleet.settings, "clip").running():

        async def left() -> bool:
            return [row["worker_id"] for row in await rows_of(fleet)].count("gone") == 1

        await until(left, 10, "the row that is seven days old is removed, and no other")


async def test_a_row_that_somebody_removed_comes_back_with_its_start(fleet: Fleet) -> None:
    process = Process(fleet.settings, "clip")
    async with process.running():
        await there(fleet, 1)
        [before] = await rows_of(fleet)
        await fleet.rows.execute("TRUNCATE workers")
        process.states["clip"].breaker.trip(AWAY)
        await there(fleet, 1)
        [after] = await rows_of(fleet)
    assert after["process"] == before["process"]
    assert abs(after["started_at"] - before["started_at"]) < timedelta(seconds=0.5)


@pytest.mark.slow(reason="9 s: the database hangs for most of them")
async def test_a_hanging_database_delays_the_stop_for_seconds_only(
    fleet: Fleet, database_proxy: Proxy, environ: dict[str, str]
) -> None:
    settings = Settings.from_env({**environ, "DB_PORT": str(database_proxy.port)})
    process = Process(settings, "clip")
    loop = asyncio.get_running_loop()
    async with process.running():
        await there(fleet, 1)
        database_proxy.freeze()
        process.states["clip"].breaker.trip(AWAY)
        await until(lambda: database_proxy.held_back)  # it hangs in the middle of a heartbeat
        began = loop.time()
    assert loop.time() - began < 25


async def test_the_backlog_is_shown_with_the_age_of_its_oldest_due_mark(fleet: Fleet) -> None:
    await fleet.rows.execute(
        "INSERT INTO stale (stage, image_id, due) VALUES ('merge', 1, now() - interval '90 s'), ('merge', 2, now()),"
        " ('enrich', 1, now() + interval '1 h')"
    )
    merge, enrich, consensus, *_ = (await looked(fleet)).backlog
    assert (merge.stage, merge.marks, enrich.marks, consensus.marks) == ("merge", 2, 1, 0)
    assert merge.overdue_seconds == pytest.approx(90, abs=10)
    assert (enrich.overdue_seconds, consensus.overdue_seconds) == (None, None)


async def test_status_scans_neither_results_nor_images(fleet: Fleet) -> None:
    """Its queries are planned without a scan of the tables that grow."""
    parameters = {"list_backlog": [list(STAGES)]}
    for name in ("count_images", "count_results_by_service", "median_times", "count_outcomes", "list_backlog"):
        given = parameters.get(name, [])
        plan = "\n".join(row[0] for row in await fleet.rows.fetch(f"EXPLAIN {queries()[name]}", *given))
        assert "Seq Scan on results" not in plan
        assert "Seq Scan on images" not in plan
