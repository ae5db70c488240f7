"""What processes tell at their port, beside what became of the jobs."""

import asyncio
import json
import re
import urllib.error
import urllib.request

import pytest

from tests.e2e.conftest import Farm
from tests.integration.fleet import Command, Fleet
from tests.integration.proxy import Proxy
from tests.parallel import free_offset
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(180)]

HOST = {"METRICS_HOST": "127.0.0.1"}


def free_port() -> int:
    return 21_000 + free_offset([21_000])


async def fetched(port: int, path: str) -> tuple[int, str]:
    def fetch() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(fetch)


async def number(port: int, series: str) -> float | None:
    """The value of a series, such as `name{label="value"}`; None when it is not told."""
    _, text = await fetched(port, "/metrics")
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


async def failing(port: int) -> dict[str, str]:
    status, text = await fetched(port, "/readyz")
    report: dict[str, str] = json.loads(text)["failing"]
    assert (status == 503) == bool(report)
    return report


async def becomes(port: int, series: str, value: float, command: Command) -> None:
    async def is_so() -> bool:
        return await number(port, series) == value

    await until(is_so, 30, lambda: f"{series} {value}\n{command.log}")


async def test_a_worker_counts_what_became_of_its_jobs(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    port = free_port()
    await fleet.register_pictures(5, picture)
    await fleet.register(2)
    await fleet.produce("--services", "yolov8")
    worker = await fleet.worker("yolov8", METRICS_PORT=str(port), **HOST)
    await fleet.stored(5)
    await fleet.failed("yolov8", 2)
    await becomes(port, 'windmill_jobs_total{code="",outcome="stored",service="yolov8"}', 5, worker)
    await becomes(port, 'windmill_jobs_total{code="IMAGE_NOT_FOUND",outcome="failed",service="yolov8"}', 2, worker)
    assert await number(port, 'windmill_jobs_in_progress{service="yolov8"}') == 0
    assert await number(port, 'windmill_service_call_seconds_count{service="yolov8"}') == 5
    assert await number(port, 'windmill_job_seconds_count{service="yolov8"}') == 5
    assert await number(port, 'windmill_queue_wait_seconds_count{service="yolov8"}') == 7
    assert await number(port, "windmill_commit_rows_sum") == 7
    assert (await fetched(port, "/healthz"))[0] == 200
    assert await failing(port) == {}
    farm.misbehave("yolov8", down=1)
    await fleet.register_pictures(1, picture)
    await fleet.produce("--services", "yolov8")
    await becomes(port, 'windmill_breaker_state{service="yolov8"}', 2, worker)
    assert await failing(port) == {}, "waiting for a service is a worker's work"
    farm.behave("yolov8")
    await fleet.stored(6)
    await becomes(port, 'windmill_breaker_state{service="yolov8"}', 0, worker)
    assert (await worker.stop()).code == 0


@pytest.mark.slow(reason="21 s: an idle worker sends a heartbeat every 10 s, and two have to come")
async def test_a_worker_whose_database_is_away_is_healthy_and_not_ready(
    fleet: Fleet, farm: Farm, picture: bytes, database_proxy: Proxy
) -> None:
    port = free_port()
    worker = await fleet.worker("yolov8", METRICS_PORT=str(port), DB_PORT=str(database_proxy.port), **HOST)
    assert await failing(port) == {}
    await database_proxy.cut()

    async def is_told(what: str) -> bool:
        found = await failing(port)
        return list(found) == ["database"] and found["database"].startswith(what)

    await until(lambda: is_told("heartbeat not written"), 30, lambda: f"an idle worker notices\n{worker.log}")
    await fleet.register_pictures(1, picture)
    await fleet.produce("--services", "yolov8")
    await until(lambda: is_told("unavailable for "), 30, lambda: worker.log)
    assert (await fetched(port, "/healthz"))[0] == 200
    assert await number(port, 'windmill_ready{check="database"}') == 0
    await database_proxy.mend()
    await fleet.stored(1)
    await becomes(port, 'windmill_reconnects_total{server="database"}', 1, worker)
    await becomes(port, 'windmill_ready{check="database"}', 1, worker)


@pytest.mark.slow(reason="8 s: the broker is away for a while")
async def test_a_worker_whose_broker_is_away_is_healthy_and_not_ready(fleet: Fleet, queue_proxy: Proxy) -> None:
    port = free_port()
    worker = await fleet.worker("yolov8", METRICS_PORT=str(port), QUEUE_PORT=str(queue_proxy.port), **HOST)
    await queue_proxy.cut()

    async def is_away() -> bool:
        return list(await failing(port)) == ["broker"]

    await until(is_away, 30, lambda: worker.log)
    assert (await fetched(port, "/healthz"))[0] == 200
    await queue_proxy.mend()
    await becomes(port, 'windmill_reconnects_total{server="broker"}', 1, worker)
    await becomes(port, 'windmill_ready{check="broker"}', 1, worker)


async def test_a_producer_tells_how_far_it_is_while_it_publishes(fleet: Fleet) -> None:
    port = free_port()
    await fleet.register(1500)
    await fleet.declare("yolov8", "clip")
    producer = fleet.start(
        "producers.generic", "--services", "yolov8,clip", "--max-queued", "500", METRICS_PORT=str(port), **HOST
    )
    await producer.says("waiting for the queues to drain")
    await becomes(port, "windmill_published_images_total", 1000, producer)
    assert await number(port, 'windmill_published_jobs_total{service="clip"}') == 1000
    assert await failing(port) == {}
    assert (await producer.stop()).code == 130


async def test_a_post_processor_tells_what_it_did_and_how_much_is_open(fleet: Fleet) -> None:
    port = free_port()
    merger = fleet.start("postprocessors.bbox_merger", METRICS_PORT=str(port), **HOST)
    await merger.says(" post-processing ")
    document = json.dumps({"service": "yolov8", "status": "success", "predictions": [], "metadata": {}})
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status, data)"
        " SELECT n, 'yolov8', 'success', $1 FROM generate_series(1, 7) n",
        document,
    )
    seen = {f'windmill_recomputes_total{{outcome="{one}",stage="merge"}}' for one in ("changed", "unchanged")}

    async def all_seen() -> bool:
        return sum([await number(port, one) or 0 for one in seen]) == 7

    await until(all_seen, 30, lambda: merger.log)
    assert await number(port, 'windmill_stale_marks{stage="merge"}') is not None
    assert await failing(port) == {}
    assert (await merger.stop()).code == 0


async def test_every_step_of_a_job_is_one_line_that_names_the_job(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    [image_id] = await fleet.register_pictures(1, picture)
    await fleet.produce("--services", "yolov8")
    worker = fleet.start("workers.generic", SERVICE_NAME="yolov8", LOG_LEVEL="DEBUG", LOG_FORMAT="json")
    await fleet.stored(1)
    await worker.says('"settled"')
    lines = [json.loads(line) for line in (await worker.stop()).err.splitlines() if line.startswith("{")]
    steps = [line for line in lines if line["logger"] == "windmill.edge.delivery_processor"]
    [row] = await fleet.results()
    assert [line["message"] for line in steps] == ["begins", "decided", "settled"]
    assert {(one["image_id"], one["service"], one["attempt"], one["trace_id"]) for one in steps} == {
        (image_id, "yolov8", 1, row["trace_id"])
    }


async def test_a_database_that_is_away_is_no_flood_in_the_log(fleet: Fleet, database_proxy: Proxy) -> None:
    await database_proxy.hang_up()
    worker = fleet.start("workers.generic", SERVICE_NAME="yolov8", DB_PORT=str(database_proxy.port))
    await worker.says("the database is unavailable")
    await until(lambda: database_proxy.turned_away >= 4, what=lambda: worker.log)
    assert worker.log.count("\n") < 5, worker.log
