"""A worker that is stopped, killed or cut off from its servers: nothing is lost and nothing is stored twice."""

import signal

import pytest

from tests.e2e.conftest import Farm
from tests.integration.fleet import Command, Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker]

TRIES = 4
"""So often a worker asks a server that is away before a test goes on."""


async def submitted(fleet: Fleet, services: str, picture: bytes, count: int) -> list[int]:
    images = await fleet.register_pictures(count, picture)
    end = await fleet.produce("--services", services)
    assert end.code == 0, end.err
    return images


async def waiting(fleet: Fleet, service: str, number: int) -> None:
    async def there() -> bool:
        return await fleet.depth(service) == number

    await until(there, 20, lambda: f"{number} jobs in the queue\n{fleet.logs()}")


async def nothing_lost(fleet: Fleet, service: str, images: list[int]) -> None:
    """Each image has its row or waits in the queue. A commit whose answer never came back leaves both: what is sent
    with it is at most a batch, and its jobs are done again over the same rows."""

    async def all_there() -> bool:
        return await fleet.depth(service) + await fleet.count() >= len(images)

    await until(all_there, 20, lambda: f"every job in the queue or done\n{fleet.logs()}")
    stored = {row["image_id"] for row in await fleet.results(service)}
    left = await fleet.image_ids(service)
    assert len(left) == len(set(left)), "no job is handed back twice"
    assert stored | set(left) == set(images)
    assert len(stored & set(left)) <= 10, "more than one batch was done twice"


async def all_stored_once(fleet: Fleet, service: str, images: list[int]) -> None:
    await fleet.stored(len(images))
    assert [row["image_id"] for row in await fleet.results(service)] == images
    assert await fleet.depth(service, ".failed") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_worker_finishes_what_it_began_and_leaves_the_rest_in_the_queue(
    fleet: Fleet, farm: Farm, picture: bytes, number: int
) -> None:
    farm.misbehave("yolov8", slowness=0.5)
    images = await submitted(fleet, "yolov8", picture, 20)
    worker = await fleet.worker("yolov8", WORKER_CONCURRENCY="4")
    await fleet.stored(4)
    end = await worker.stop(number)
    assert end.code == 0
    assert "Traceback" not in end.err
    stored = await fleet.count("status = 'success'")
    assert 4 <= stored < len(images)
    await waiting(fleet, "yolov8", len(images) - stored)
    assert farm.calls("yolov8") == stored, "what the service did was paid for and must be stored"
    assert sorted([row["image_id"] for row in await fleet.results()] + await fleet.image_ids("yolov8")) == images


async def test_an_idle_worker_stops_promptly(fleet: Fleet, farm: Farm) -> None:
    worker = await fleet.worker("all")
    assert (await worker.stop(seconds=5)).code == 0


async def test_jobs_that_outlast_the_grace_go_back_to_the_queue(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", timeout_rate=1)
    images = await submitted(fleet, "yolov8", picture, 5)
    worker = await fleet.worker("yolov8", SHUTDOWN_GRACE_SECONDS="1")
    await until(lambda: farm.control.counts()["yolov8"]["in_flight"], 20, "calls under way")
    end = await worker.stop(seconds=15)
    assert end.code == 0
    assert "jobs not finished in SHUTDOWN_GRACE_SECONDS" in end.err
    assert "Traceback" not in end.err
    await waiting(fleet, "yolov8", len(images))


async def test_a_second_signal_stops_at_once_and_loses_nothing(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", timeout_rate=1)
    images = await submitted(fleet, "yolov8", picture, 5)
    worker = await fleet.worker("yolov8")
    await until(lambda: farm.control.counts()["yolov8"]["in_flight"], 20, "calls under way")
    worker.process.send_signal(signal.SIGTERM)
    await worker.says("stopping")
    end = await worker.stop(seconds=5)
    assert end.code == 130
    assert "Traceback" not in end.err
    await waiting(fleet, "yolov8", len(images))


async def test_after_three_kill_9_every_pair_has_exactly_one_row(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", slowness=0.03)
    images = await submitted(fleet, "yolov8", picture, 300)
    for part in (40, 110, 180):
        worker = await fleet.worker("yolov8", WORKER_CONCURRENCY="4")
        await fleet.stored(part)
        await worker.kill()
        assert await fleet.count() < len(images), "the test was too slow: all was done before the kill"
    await fleet.worker("yolov8", WORKER_CONCURRENCY="4")
    await all_stored_once(fleet, "yolov8", images)
    assert farm.calls("yolov8") - len(images) <= 3 * 10, "more than what was held at each kill was done twice"


@pytest.mark.slow(reason="7 s each: three workers start and two die")
@pytest.mark.parametrize("queue_type", ["quorum", "classic"])
async def test_a_job_over_which_two_workers_die_is_parked_by_the_third(
    fleet: Fleet, farm: Farm, picture: bytes, queue_type: str
) -> None:
    fleet.environ |= {"QUEUE_TYPE": queue_type, "DELIVERY_LIMIT": "2"}
    if queue_type == "classic":
        fleet.environ["RETRY_DELAYS"] = "0.77"  # tiers that no test with quorum queues has
    farm.misbehave("yolov8", slowness=1.5)
    [image] = await submitted(fleet, "yolov8", picture, 1)
    for _ in range(2):
        worker = await fleet.worker("yolov8")
        await until(lambda: farm.control.counts()["yolov8"]["in_flight"], 20, lambda: f"a call\n{fleet.logs()}")
        await worker.kill()
        await until(lambda: not farm.control.counts()["yolov8"]["in_flight"], 20, "the end of the call")
    await fleet.worker("yolov8")
    [failed] = await fleet.failed("yolov8")
    assert (failed.image_id, failed.headers["windmill-code"]) == (image, "WORKER_LOST")
    assert [row["error_code"] for row in await fleet.results()] == ["WORKER_LOST"]
    assert farm.calls("yolov8") == 2


async def test_two_workers_share_a_queue_and_do_nothing_twice(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", slowness=0.05)
    workers = [await fleet.worker("yolov8", WORKER_ID=name) for name in ("one", "two")]
    images = await submitted(fleet, "yolov8", picture, 100)
    await all_stored_once(fleet, "yolov8", images)
    assert {row["worker_id"] for row in await fleet.results()} == {"one", "two"}
    assert farm.calls("yolov8") == len(images)
    for worker in workers:
        assert (await worker.stop()).code == 0


@pytest.mark.slow(reason="9 s: the connection is cut three times")
async def test_a_broker_connection_that_is_cut_three_times_costs_nothing(
    fleet: Fleet, farm: Farm, picture: bytes, queue_proxy: Proxy
) -> None:
    farm.misbehave("yolov8", slowness=0.05)
    images = await submitted(fleet, "yolov8", picture, 150)
    worker = await fleet.worker("yolov8", QUEUE_PORT=str(queue_proxy.port), WORKER_CONCURRENCY="4")
    for turn, part in enumerate((10, 50, 90), start=1):
        await fleet.stored(part)
        await queue_proxy.cut()
        await worker.says("the broker is unavailable", times=turn)
        await queue_proxy.mend()
        await worker.says(" consuming ", times=turn + 1)
    await all_stored_once(fleet, "yolov8", images)
    end = await worker.stop()
    assert end.code == 0
    assert "Traceback" not in end.err
    await waiting(fleet, "yolov8", 0)


@pytest.mark.slow(reason="13 s: the database is away for many tries")
async def test_a_database_that_is_away_while_the_worker_tries_again_and_again_costs_nothing(
    fleet: Fleet, farm: Farm, picture: bytes, database_proxy: Proxy
) -> None:
    farm.misbehave("yolov8", slowness=0.02)
    images = await submitted(fleet, "yolov8", picture, 150)
    worker = await fleet.worker("yolov8", DB_PORT=str(database_proxy.port))
    await fleet.stored(20)
    await database_proxy.hang_up()
    before = await fleet.count()
    await worker.says("the database is unavailable")
    await until(lambda: database_proxy.turned_away >= TRIES, what=lambda: worker.log)
    assert await fleet.count() == before
    called = farm.calls("yolov8")
    assert called <= before + 10, "the service was called on and on while nothing could be stored"
    await database_proxy.mend()
    await all_stored_once(fleet, "yolov8", images)
    assert farm.calls("yolov8") == len(images), "what was in flight was kept, not done again"
    assert "the database is available again" in worker.log


async def test_a_worker_stops_on_sigterm_while_the_database_is_away_and_loses_nothing(
    fleet: Fleet, farm: Farm, picture: bytes, database_proxy: Proxy
) -> None:
    images = await submitted(fleet, "yolov8", picture, 20)
    farm.misbehave("yolov8", slowness=0.05)
    worker = await fleet.worker("yolov8", DB_PORT=str(database_proxy.port), SHUTDOWN_GRACE_SECONDS="1")
    await fleet.stored(1)
    await database_proxy.cut()
    await worker.says("the database is unavailable")
    end = await worker.stop(seconds=10)
    assert end.code == 0
    assert "Traceback" not in end.err
    await nothing_lost(fleet, "yolov8", images)


@pytest.mark.slow(reason="23 s: a database has to hang until it is given up")
async def test_a_worker_stops_on_sigterm_although_the_database_hangs_without_a_word(
    fleet: Fleet, farm: Farm, picture: bytes, database_proxy: Proxy
) -> None:
    farm.misbehave("yolov8", slowness=0.05)
    images = await submitted(fleet, "yolov8", picture, 100)
    worker = await fleet.worker("yolov8", SHUTDOWN_GRACE_SECONDS="1", DB_PORT=str(database_proxy.port))
    await fleet.stored(5)
    database_proxy.freeze()
    end = await worker.stop(seconds=40)
    assert end.code == 0
    assert "Traceback" not in end.err
    await nothing_lost(fleet, "yolov8", images)


@pytest.mark.slow(reason="9 s: the outage is long")
async def test_a_long_outage_is_a_few_lines_in_the_log(fleet: Fleet, farm: Farm, queue_proxy: Proxy) -> None:
    worker = await fleet.worker("yolov8", QUEUE_PORT=str(queue_proxy.port))
    await queue_proxy.hang_up()
    await worker.says("the broker is unavailable")
    await until(lambda: queue_proxy.turned_away >= TRIES, what=lambda: worker.log)
    assert len(worker.log.splitlines()) == 2, worker.log


async def test_a_worker_stops_on_sigterm_while_the_broker_is_away(fleet: Fleet, farm: Farm, queue_proxy: Proxy) -> None:
    worker = await fleet.worker("yolov8", QUEUE_PORT=str(queue_proxy.port))
    await queue_proxy.cut()
    await worker.says("the broker is unavailable")
    end = await worker.stop(seconds=5)
    assert end.code == 0
    assert "Traceback" not in end.err


async def started_blind(fleet: Fleet, *proxies: Proxy, **variables: str) -> Command:
    for proxy in proxies:
        await proxy.cut()
    return fleet.start("workers.generic", SERVICE_NAME="yolov8", **variables)


async def test_a_worker_that_is_started_first_begins_when_its_servers_come(
    fleet: Fleet, farm: Farm, picture: bytes, queue_proxy: Proxy, database_proxy: Proxy
) -> None:
    images = await submitted(fleet, "yolov8", picture, 3)
    ports = {"QUEUE_PORT": str(queue_proxy.port), "DB_PORT": str(database_proxy.port)}
    worker = await started_blind(fleet, queue_proxy, database_proxy, **ports)
    await worker.says("the database is unavailable")
    await database_proxy.mend()
    await worker.says("the broker is unavailable")
    await queue_proxy.mend()
    await all_stored_once(fleet, "yolov8", images)


async def test_a_worker_without_tables_says_what_to_do_and_ends(fleet: Fleet) -> None:
    await fleet.rows.execute("DROP TABLE results")
    end = await fleet.run("workers.generic", SERVICE_NAME="yolov8")
    assert end.code == 2
    assert "python -m windmill migrate" in end.err
    assert "Traceback" not in end.err


async def test_a_worker_whose_queue_is_deleted_makes_it_anew_and_goes_on(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    worker = await fleet.worker("yolov8")
    await fleet.delete_queue("yolov8")
    await worker.says(" consuming ", times=2)
    images = await submitted(fleet, "yolov8", picture, 3)
    await all_stored_once(fleet, "yolov8", images)
