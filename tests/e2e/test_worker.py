"""From the queue to the stored row: the commands a user starts, the real farm, a real broker and database."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.e2e.answering import ANSWER
from tests.e2e.conftest import CONFIG, Farm, started_farm
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.calling.probe_image import PROBE_IMAGE
from windmill.core.services import load_fleet

pytestmark = [pytest.mark.database, pytest.mark.broker]

ALL = list(load_fleet(CONFIG).services)


async def submitted(fleet: Fleet, services: str, picture: bytes, count: int = 3) -> list[int]:
    images = await fleet.register_pictures(count, picture)
    end = await fleet.produce("--services", services)
    assert end.code == 0, end.err
    return images


@pytest.mark.parametrize("services", ["yolov8", "clip, colors", "all"])
async def test_every_pair_that_was_submitted_is_stored_exactly_once(
    services: str, fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    images = await submitted(fleet, services, picture)
    names = sorted(service.name for service in load_fleet(CONFIG).select(services))
    worker = await fleet.worker(services, WORKER_ID="the-worker")
    await fleet.stored(len(images) * len(names))
    assert (await worker.stop()).code == 0
    rows = await fleet.results()
    assert [(row["image_id"], row["service"]) for row in rows] == [(i, name) for i in images for name in names]
    for row in rows:
        data = json.loads(row["data"])
        assert data["status"] == "success"
        assert data["metadata"]["model_info"]["framework"] == "windmill-farm"
        assert row["processing_time"] == pytest.approx(data["metadata"]["processing_time"])
        assert (row["worker_id"], row["attempt"]) == ("the-worker", 1)
        assert row["trace_id"]
    assert {name: await fleet.depth(name) for name in names} == dict.fromkeys(names, 0)
    assert {name: farm.calls(name) for name in names} == dict.fromkeys(names, len(images))


@pytest.fixture
async def website(picture: bytes) -> AsyncIterator[str]:
    """A web server with a picture under any name; the address of its folder."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path.endswith("gone.jpg"):
            raise web.HTTPNotFound
        return web.Response(body=picture, content_type="image/jpeg")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/pictures"
    await runner.cleanup()


async def registered_urls(fleet: Fleet, *urls: str) -> None:
    end = await fleet.run("producers.images", "-", stdin="\n".join(urls), IMAGE_URL_ALLOW="127.0.0.1")
    assert end.code == 0, end.err


async def test_images_behind_urls_are_fetched_where_that_is_allowed(fleet: Fleet, farm: Farm, website: str) -> None:
    await registered_urls(fleet, f"{website}/a%20b.jpg?size=large&x=1", f"{website}/gone.jpg")
    await fleet.produce("--services", "yolov8")
    await fleet.worker("yolov8", IMAGE_URL_ALLOW="127.0.0.1")
    await fleet.stored(1)
    [failed] = await fleet.failed("yolov8")
    assert failed.headers["windmill-code"] == "IMAGE_NOT_FOUND"
    assert farm.calls("yolov8") == 1


async def test_images_in_the_private_network_are_not_fetched_unasked(fleet: Fleet, farm: Farm, website: str) -> None:
    await registered_urls(fleet, f"{website}/1.jpg")
    await fleet.produce("--services", "yolov8")
    await fleet.worker("yolov8")
    [failed] = await fleet.failed("yolov8")
    assert failed.headers["windmill-code"] == "IMAGE_FORBIDDEN"
    assert farm.calls("yolov8") == 0


async def test_a_service_of_transport_url_fetches_the_image_itself(
    fleet: Fleet, farm: Farm, website: str, tmp_path: Path
) -> None:
    document = json.loads(CONFIG.read_text())
    document["services"]["yolov8"]["transport"] = "url"
    own = tmp_path / "own_config.json"
    own.write_text(json.dumps(document))
    await registered_urls(fleet, f"{website}/a%20b.jpg?size=large&x=1#y")
    await fleet.produce("--services", "yolov8", SERVICE_CONFIG=str(own))
    await fleet.worker("yolov8", SERVICE_CONFIG=str(own), IMAGE_URL_ALLOW="127.0.0.1")
    await fleet.stored(1)
    assert list(farm.control.counts()["yolov8"]["requests"]) == ["GET /analyze"]


async def test_one_json_entry_is_all_that_a_14th_service_takes(fleet: Fleet, tmp_path: Path, picture: bytes) -> None:
    document = json.loads(CONFIG.read_text())
    document["services"]["extra"] = {"port": 7790}
    own = tmp_path / "own_config.json"
    own.write_text(json.dumps(document))
    fleet.environ["SERVICE_CONFIG"] = str(own)
    farms = started_farm(own, tmp_path)
    fleet.environ["SERVICE_PORT_OFFSET"] = str(next(farms).offset)
    try:
        images = await submitted(fleet, "extra", picture)
        worker = await fleet.worker("all")
        await fleet.stored(len(images))
        await worker.stop()
    finally:
        farms.close()
    assert [(row["image_id"], row["service"]) for row in await fleet.results()] == [(i, "extra") for i in images]


async def test_an_image_that_is_not_there_fails_at_once_and_says_so(fleet: Fleet, farm: Farm) -> None:
    [image] = await fleet.register(1)
    await fleet.produce("--services", "yolov8")
    await fleet.worker("yolov8", WORKER_ID="the-worker")
    [failed] = await fleet.failed("yolov8")
    assert failed.image_id == image
    assert failed.headers["windmill-code"] == "IMAGE_NOT_FOUND"
    assert failed.headers["windmill-worker"] == "the-worker"
    assert "there is no file /pictures/" in failed.headers["windmill-reason"]
    [row] = await fleet.results()
    assert (row["status"], row["error_code"], row["attempt"]) == ("error", "IMAGE_NOT_FOUND", 1)
    assert "there is no file" in row["error_message"]
    assert farm.calls("yolov8") == 0


async def test_what_is_not_an_image_fails_at_once_and_says_so(fleet: Fleet, farm: Farm) -> None:
    await fleet.register_pictures(1, b"<html>not an image</html>")
    await fleet.produce("--services", "yolov8")
    await fleet.worker("yolov8")
    [failed] = await fleet.failed("yolov8")
    assert failed.headers["windmill-code"] == "IMAGE_UNREADABLE"
    [row] = await fleet.results()
    assert (row["status"], row["error_code"], row["attempt"]) == ("error", "IMAGE_UNREADABLE", 1)
    assert farm.calls("yolov8") == 0


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


HOSTILE = [
    "html",
    "cut-json",
    "empty",
    "binary",
    "wrong-type",
    "nesting",
    "status-error",
    "crash",
    "reset",
    "cut-reply",
]


@pytest.mark.parametrize("fault", HOSTILE)
async def test_a_service_that_answers_nothing_sensible_to_anyone_is_away_and_costs_no_job_a_try(
    fault: str, fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", **{f"{fault}-rate": 1})
    images = await submitted(fleet, "yolov8", picture, 3)
    worker = await fleet.worker("yolov8", MAX_RETRIES="0")
    await worker.says("service yolov8 is unavailable")
    farm.behave("yolov8")
    await fleet.stored(len(images))
    assert {row["attempt"] for row in await fleet.results()} == {1}
    assert await fleet.depth("yolov8", ".failed") == 0
    assert "Traceback" not in worker.log


async def test_a_service_of_which_a_third_of_the_answers_is_garbage_loses_no_image(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", **{f"{fault}-rate": 0.3 / len(HOSTILE) for fault in HOSTILE})
    images = await submitted(fleet, "yolov8", picture, 150)
    worker = await fleet.worker("yolov8")
    await fleet.stored(len(images))
    assert await fleet.depth("yolov8", ".failed") == 0
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("fault", ["nan", "nul", "surrogate"])
async def test_a_reply_that_postgresql_would_refuse_is_mended_and_stored(
    fault: str, fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", **{f"{fault}-rate": 1})
    await submitted(fleet, "yolov8", picture, 1)
    await fleet.worker("yolov8")
    await fleet.stored(1)


async def test_a_service_that_gives_everything_a_giant_reply_gets_no_job_parked(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    farm.misbehave("yolov8", giant_rate=1)
    images = await submitted(fleet, "yolov8", picture, 5)
    worker = await fleet.worker("yolov8")
    await worker.says("service yolov8 is unavailable: RESPONSE_TOO_LARGE")
    assert worker.resident_mb() < 80
    farm.behave("yolov8")
    await fleet.stored(len(images))
    assert await fleet.depth("yolov8", ".failed") == 0


class NotUtf8(str):
    """Text as a program writes it into a header that does not think of encodings."""

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


GARBAGE = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"17",
    b'{"image_id": 1}',
    b'{"image_id": "1", "image_path": "/a.jpg"}',
    b"{" * 2000,
]


async def test_what_is_not_a_job_is_parked_with_its_bytes_and_the_others_are_done(
    fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    await fleet.declare("yolov8")
    odd = {
        "windmill-attempt": "many",
        "none": None,
        "nested": {"list": [1, 2.5]},
        "latin": NotUtf8("é"),
        "x-odd": 1,
        "mine": "kept",
    }
    for body in GARBAGE:
        await fleet.put("yolov8", body, odd)
    images = await submitted(fleet, "yolov8", picture)
    worker = await fleet.worker("yolov8")
    failed = await fleet.failed("yolov8", len(GARBAGE))
    await fleet.stored(len(images))
    assert sorted(message.body for message in failed) == sorted(GARBAGE)
    assert {message.headers["windmill-code"] for message in failed} == {"BAD_MESSAGE"}
    assert {message.headers["mine"] for message in failed} == {"kept"}
    assert await fleet.count() == len(images)
    assert (await worker.stop()).code == 0
    assert await fleet.depth("yolov8") == 0


async def test_a_job_of_an_older_producer_without_the_optional_keys_is_done(
    fleet: Fleet, farm: Farm, picture: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "old.jpg"
    path.write_bytes(picture)
    await fleet.declare("yolov8")
    body = {"image_id": 5, "image_filename": "old.jpg", "image_path": str(path), "more": 1}
    await fleet.put("yolov8", json.dumps(body).encode())
    await fleet.worker("yolov8")
    await fleet.stored(1)


@pytest.mark.parametrize(
    ("name", "said"), [("", "SERVICE_NAME"), ("yolo8", "did you mean 'yolov8'"), ("clip,nothing_like_it", "known: ")]
)
async def test_a_missing_or_misspelt_service_is_told_without_a_stack_trace(fleet: Fleet, name: str, said: str) -> None:
    end = await fleet.run("workers.generic", SERVICE_NAME=name)
    assert end.code == 2
    assert said in end.err
    assert "Traceback" not in end.err
    assert end.out == ""
