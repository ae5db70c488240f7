"""Urgent jobs overtake the others, on the real broker, and stay urgent when they are parked and redriven."""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from dev.servers.ports import is_free
from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.integration.proxy import LOOPBACK, Proxy
from tests.parallel import free_offset
from tests.waiting import until
from windmill import broker
from windmill.broker.management import limit_deliveries
from windmill.core.messages import URGENT_HEADER, Job, encode
from windmill.core.services import load_fleet
from windmill.kernels.flow.urgent_first import ORDINARY_SHARE
from windmill.submit.batches import batches

pytestmark = [pytest.mark.database, pytest.mark.broker]

URGENT = "_urgent"
SERVICE_SECONDS = 0.005


def ids_file(fleet: Fleet, ids: list[int]) -> str:
    file = fleet.folder / "ids"
    file.write_text("".join(f"{one}\n" for one in ids))
    return str(file)


@pytest.mark.slow(reason="7 s: a queue has to fill")
async def test_urgent_jobs_are_shown_apart_and_may_be_submitted_while_another_producer_waits_for_room(
    fleet: Fleet,
) -> None:
    await fleet.register(30)
    assert (await fleet.produce("--services", "clip")).code == 0
    await fleet.register(5)
    waiting = fleet.start("producers.generic", "--services", "clip", "--max-queued", "5", "--quiet")
    await waiting.says("waiting for the queues to drain", seconds=60)
    images = await fleet.register(3, "today")
    end = await fleet.produce("--services", "clip", "--group", "today", "--urgent", "--max-queued", "5", "--json")
    assert (end.code, end.json()["jobs"]) == (0, 3), end.err
    status = (await fleet.run("windmill", "status", "--services", "clip", "--json")).json()["services"][0]
    assert (status["queued"] - status["urgent"], status["urgent"]) == (await fleet.depth("clip"), 3)
    queues = (await fleet.run("windmill", "queues", "--services", "clip", "--json")).json()
    assert [(line["name"], line["ready"]) for line in queues["urgent"]] == [("clip urgent", 3)]
    assert (await waiting.stop()).code == 130
    messages = await fleet.take_all("clip", URGENT)
    assert ([one.image_id for one in messages], messages[0].headers) == (images, {URGENT_HEADER: True})


async def test_an_urgent_run_and_an_ordinary_one_of_the_same_request_are_continued_apart(fleet: Fleet) -> None:
    await fleet.register(4)
    for arguments, number in ((["--urgent"], 1), ([], 2), (["--urgent"], 3)):
        end = await fleet.produce("--services", "clip", "--limit", str(number), *arguments, "--json")
        assert end.code == 0, end.err
    runs = await fleet.rows.fetch("SELECT urgent, count(*) FROM runs GROUP BY urgent")
    assert {row["urgent"]: row["count"] for row in runs}.keys() == {True, False}
    urgent, ordinary = await fleet.take_all("clip", URGENT), await fleet.take_all("clip")
    assert len(urgent) + len(ordinary) == 4, "no image is submitted twice"


async def test_an_urgent_job_that_is_parked_and_redriven_stays_urgent(fleet: Fleet, farm: Farm) -> None:
    images = await fleet.register_pictures(1)  # a file that nobody can decode
    await fleet.produce("--services", "clip", "--image-ids", ids_file(fleet, images), "--urgent")
    worker = await fleet.worker("clip", MAX_RETRIES="0")

    async def parked() -> bool:
        return await fleet.depth("clip", ".failed") == 1

    await until(parked, 60, fleet.logs)
    await worker.stop()
    listed = await fleet.run("windmill", "failed", "list", "--json")
    [job] = listed.json()["jobs"]
    assert (job["image_id"], job["urgent"]) == (images[0], True)
    assert (await fleet.run("windmill", "failed", "redrive", "--json")).json()["jobs"] == 1
    assert (await fleet.depth("clip", URGENT), await fleet.depth("clip")) == (1, 0)


async def test_an_urgent_job_that_kills_its_workers_is_parked_by_the_broker_and_redriven_as_urgent(
    fleet: Fleet,
) -> None:
    """Published by others, so that only the queue says that it is urgent."""
    await fleet.declare("clip")
    await asyncio.to_thread(limit_deliveries, fleet.settings, ["clip"], 1)
    await fleet.put(f"clip{URGENT}", encode(Job(7, "7.jpg", "/p/7.jpg", None, datetime.now(UTC))))
    for _ in range(2):
        taken = asyncio.Event()

        async def take(_: broker.Delivery, taken: asyncio.Event = taken) -> None:
            taken.set()

        async with (
            broker.connection(fleet.settings, "test") as opened,
            broker.queue_consumer(opened, fleet.settings, broker.urgent_queue(fleet.settings, "clip")) as consumer,
        ):
            await consumer.start(take, 1)
            await asyncio.wait_for(taken.wait(), 20)

    async def parked() -> bool:
        return await fleet.depth("clip", ".failed") == 1

    await until(parked, 30, "parked by the broker")
    assert (await fleet.run("windmill", "failed", "redrive", "--json")).json()["jobs"] == 1
    assert (await fleet.depth("clip", URGENT), await fleet.depth("clip")) == (1, 0)


async def answering_services(fleet: Fleet, *names: str) -> int:
    """Services that take some milliseconds; returns the port offset under which they are found."""
    known = load_fleet(fleet.settings.service_config).services
    offset = free_offset([known[name].port for name in names])
    ports = {name: known[name].port + offset for name in names}
    for name, port in ports.items():
        arguments = [str(port), str(SERVICE_SECONDS), "yolo" if name == "yolov8" else name]
        fleet.start_fresh("tests.e2e.answering", *arguments)
    await until(lambda: not any(is_free(port) for port in ports.values()), 60, "the services")
    return offset


async def publish(fleet: Fleet, picture: Path, ids: range, services: Sequence[str], headers: broker.Headers) -> None:
    now = datetime.now(UTC)
    async with (
        broker.connection(fleet.settings, "test") as opened,
        broker.publisher(opened, fleet.settings) as publisher,
    ):
        for some in batches(ids, 1000):
            jobs = [encode(Job(number, f"{number}.jpg", str(picture), None, now)) for number in some]
            await asyncio.gather(*(publisher.to_services(body, services, headers) for body in jobs))


async def publish_urgent(fleet: Fleet, picture: Path, ids: range) -> None:
    await publish(fleet, picture, ids, ["yolov8"], {URGENT_HEADER: True})


async def fill(fleet: Fleet, picture: Path, ids: range, *services: str) -> None:
    """Ordinary jobs, the same for each service."""
    await publish(fleet, picture, ids, services, {})
    assert {await fleet.depth(service) for service in services} == {len(ids)}


@pytest.mark.slow(reason="does some thousand jobs")
async def test_one_job_in_ten_stays_ordinary_beside_another_service_and_after_a_reconnect(
    fleet: Fleet, queue_proxy: Proxy, picture: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fleet.folder / "picture.jpg"
    file.write_bytes(picture)
    await fleet.declare("yolov8", "rtdetr")
    await fill(fleet, file, range(1, 8_001), "yolov8", "rtdetr")
    offset = str(await answering_services(fleet, "yolov8", "rtdetr"))
    proxy = {"QUEUE_HOST": LOOPBACK, "QUEUE_PORT": str(queue_proxy.port)}
    worker = await fleet.worker("yolov8,rtdetr", SERVICE_PORT_OFFSET=offset, WORKER_CONCURRENCY="2", **proxy)
    await fleet.stored(200, 120)

    async def urgent_done(number: int) -> bool:
        return await fleet.count("image_id > 10000") == number

    told = []
    for done in (0, 900):
        await queue_proxy.cut()
        await worker.says("is unavailable", times=1 + bool(done))
        await publish_urgent(fleet, file, range(10_001 + done, 10_901 + done))
        before = await fleet.count("image_id <= 10000 AND service = 'yolov8'")
        other = await fleet.count("service = 'rtdetr'")
        await queue_proxy.mend()
        await until(partial(urgent_done, done + 900), 120, fleet.logs)
        beside = await fleet.count("image_id <= 10000 AND service = 'yolov8'") - before
        other = await fleet.count("service = 'rtdetr'") - other
        told.append(f"{beside} ordinary beside 900 urgent, and {other} of the other service")
        # While the next urgent jobs are still on their way from the broker, more ordinary ones begin.
        assert 900 / (ORDINARY_SHARE - 1) * 0.9 <= beside < 900, told
        assert other >= 300, (told, worker.log)
    with capsys.disabled():
        sys.stdout.write("\n" + "; ".join(told) + "\n")


@pytest.mark.slow(reason="publishes 100,000 jobs")
@pytest.mark.timeout(900)
async def test_ten_urgent_images_overtake_a_hundred_thousand_and_one_job_in_ten_stays_ordinary(
    fleet: Fleet, picture: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fleet.folder / "picture.jpg"
    file.write_bytes(picture)
    await fleet.declare("yolov8")
    await fill(fleet, file, range(1, 100_001), "yolov8")
    offset = await answering_services(fleet, "yolov8")
    await fleet.worker("yolov8", SERVICE_PORT_OFFSET=str(offset), WORKER_CONCURRENCY="4")
    await fleet.stored(200, 120)

    began = time.monotonic()
    await publish_urgent(fleet, file, range(200_001, 200_011))

    async def urgent_done(number: int) -> bool:
        return await fleet.count("image_id > 200000") == number

    await until(lambda: urgent_done(10), 60, fleet.logs)
    seconds = time.monotonic() - began
    assert await fleet.count("image_id <= 200000") < 50_000, "they did not wait for the backlog"

    before = await fleet.count("image_id <= 200000")
    await publish_urgent(fleet, file, range(200_011, 202_011))
    await until(lambda: urgent_done(2_010), 240, fleet.logs)
    beside = await fleet.count("image_id <= 200000") - before
    with capsys.disabled():
        sys.stdout.write(f"\n10 urgent images behind 100,000: {seconds:.2f} s; {beside} ordinary beside 2,000 urgent\n")
    assert beside >= 2_000 / (ORDINARY_SHARE - 1) * 0.9
