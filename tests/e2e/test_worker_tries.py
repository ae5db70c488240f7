"""Tries and outages: what costs a job a try, and what does not."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.e2e.answering import ANSWER
from tests.e2e.conftest import CONFIG, Farm
from tests.e2e.submitting import submitted
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.calling.probe_image import PROBE_IMAGE

pytestmark = [pytest.mark.database, pytest.mark.broker]


class Picky:
    """A service that is well, and answers as it is told to pictures that are not the worker's own."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        self.body = ANSWER
        self.calls = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if PROBE_IMAGE in await request.read():
            return web.Response(body=ANSWER, content_type="application/json")
        self.calls += 1
        return web.Response(status=self.status, body=self.body, content_type="application/json")


@pytest.fixture
async def picky(fleet: Fleet, tmp_path: Path) -> AsyncIterator[Picky]:
    """In the place of yolov8, for all commands of this test's fleet."""
    service = Picky()
    runner = web.ServerRunner(web.Server(service.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    document = json.loads(CONFIG.read_text())
    document["services"]["yolov8"]["port"] = runner.addresses[0][1]
    own = tmp_path / "own_config.json"
    own.write_text(json.dumps(document))
    fleet.environ["SERVICE_CONFIG"] = str(own)
    yield service
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [(500, b'{"status": "error"}', "SERVICE_ERROR"), (200, b"<html>", "BAD_RESPONSE"), (200, b"", "BAD_RESPONSE")],
)
async def test_a_job_that_always_fails_is_tried_max_retries_times_more_and_then_failed(
    fleet: Fleet, picky: Picky, picture: bytes, status: int, body: bytes, code: str
) -> None:
    picky.status, picky.body = status, body
    [image] = await submitted(fleet, "yolov8", picture, 1)
    await fleet.worker("yolov8", MAX_RETRIES="2")
    [failed] = await fleet.failed("yolov8")
    assert (failed.headers["windmill-code"], failed.headers["windmill-attempt"]) == (code, 3)
    assert failed.image_id == image
    [row] = await fleet.results()
    assert (row["status"], row["error_code"], row["attempt"]) == ("error", code, 3)
    assert picky.calls == 3


async def test_an_image_that_a_service_fails_on_because_it_is_broken_fails_at_once_and_says_so(
    fleet: Fleet, picky: Picky, picture: bytes
) -> None:
    picky.status = 500
    await submitted(fleet, "yolov8", picture[: len(picture) // 2], 1)
    await fleet.worker("yolov8")
    [failed] = await fleet.failed("yolov8")
    assert failed.headers["windmill-code"] == "IMAGE_UNREADABLE"
    assert picky.calls == 1


async def test_a_job_that_gets_one_500_is_stored_with_the_attempt_that_succeeded(
    fleet: Fleet, picky: Picky, picture: bytes
) -> None:
    picky.status = 500
    await submitted(fleet, "yolov8", picture, 1)
    await fleet.worker("yolov8", MAX_RETRIES="20")
    await until(lambda: picky.calls, 20, "a first call")
    picky.status = 200
    await fleet.stored(1)
    [row] = await fleet.results()
    assert row["attempt"] > 1
    assert await fleet.depth("yolov8", ".failed") == 0


async def test_a_failed_job_is_done_after_retry_failed(fleet: Fleet, picky: Picky, picture: bytes) -> None:
    picky.status = 500
    await submitted(fleet, "yolov8", picture, 1)
    await fleet.worker("yolov8", MAX_RETRIES="0")
    await fleet.failed("yolov8")
    picky.status = 200
    await fleet.produce("--services", "yolov8", "--retry-failed")
    await fleet.stored(1)


async def test_while_a_service_is_down_no_attempt_is_counted_and_nothing_fails(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", down=1)
    images = await submitted(fleet, "yolov8", picture, 20)
    worker = await fleet.worker("yolov8", MAX_RETRIES="0")
    await worker.says("service yolov8 is unavailable")

    async def some_came_back() -> bool:
        return await fleet.depth("yolov8") > 0 and worker.log.count("is unavailable") == 1

    await until(some_came_back)
    assert await fleet.count() == 0
    farm.behave("yolov8")
    await fleet.stored(len(images))
    await worker.says("service yolov8 is available again")
    assert {row["attempt"] for row in await fleet.results()} == {1}
    assert await fleet.depth("yolov8", ".failed") == 0


async def test_a_service_that_goes_down_in_the_middle_costs_nothing(fleet: Fleet, farm: Farm, picture: bytes) -> None:
    farm.misbehave("yolov8", slowness=0.05)
    images = await submitted(fleet, "yolov8", picture, 60)
    worker = await fleet.worker("yolov8", MAX_RETRIES="1")
    await fleet.stored(10)
    farm.misbehave("yolov8", down=1)
    await worker.says("service yolov8 is unavailable")
    farm.behave("yolov8")
    await fleet.stored(len(images))
    assert await fleet.depth("yolov8", ".failed") == 0


async def test_one_service_that_is_down_does_not_hold_up_the_others_of_a_worker(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("clip", down=1)
    images = await submitted(fleet, "clip,colors", picture, 10)
    await fleet.worker("clip,colors")
    await fleet.stored(len(images))
    assert Counter(row["service"] for row in await fleet.results()) == {"colors": len(images)}


async def test_an_overloaded_service_is_left_alone_for_a_while_and_no_attempt_is_counted(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", overload_rate=1)
    images = await submitted(fleet, "yolov8", picture, 5)
    worker = await fleet.worker("yolov8", MAX_RETRIES="0")
    await worker.says("service yolov8 is unavailable: SERVICE_OVERLOADED")
    farm.behave("yolov8")
    await fleet.stored(len(images))
    assert await fleet.depth("yolov8", ".failed") == 0
