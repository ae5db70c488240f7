"""From the queue to the stored row: the commands a user starts, the real farm, a real broker and database."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.e2e.conftest import CONFIG, Farm, started_farm
from tests.e2e.submitting import submitted
from tests.integration.fleet import Fleet
from windmill.core.services import load_fleet

pytestmark = [pytest.mark.database, pytest.mark.broker]


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
