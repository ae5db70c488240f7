"""A hosted detector looks at the frames of a video: each is a request that is signed, and a stand-in checks that."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import web
from PIL import Image

from dev.farm.moving_scenes import read_moment, write_clip
from tests.unit.engines.http_engine_scene import ACCOUNT, SignatureCheck, server
from tests.unit.pipelines.test_video_annotation import document
from tests.unit.pipelines.video_run import VideoRun
from windmill.core.errors import WindmillError
from windmill.core.service_urls import service_url
from windmill.engines.engine_thread import EngineThread
from windmill.engines.entries import HttpEntry
from windmill.engines.http.predicted_boxes import boxes_of
from windmill.engines.registry import open_engines
from windmill.media.ffmpeg.programs import find_ffmpeg

SIZE, SECONDS, SEED = (640, 360), 2, 3
PATH = "/endpoints/labels/invocations"
BOX = {"class_name": "dog", "confidence": 0.5, "bbox": {"x1": 10, "y1": 20, "x2": 40, "y2": 60}}


def seen_in(body: bytes) -> list[Any]:
    """What a picture itself says of what is drawn in it, in the form of the endpoint."""
    request = orjson.loads(body)
    assert set(request) == {"image"}, "hosted models are strict"
    with Image.open(io.BytesIO(base64.b64decode(request["image"]))) as picture:
        scene = read_moment(np.asarray(picture.convert("RGB")))
    found = []
    for thing in scene.things if scene else ():
        left, top, width, height = thing.box
        corners = {"x1": left, "y1": top, "x2": left + width, "y2": top + height}
        found.append({"class_name": thing.label, "confidence": 0.9, "bbox": corners})
    return found


Opened = Callable[[str], EngineThread]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """The engine `labels` at an address, closed afterwards."""
    made: list[EngineThread] = []

    def engine(url: str) -> EngineThread:
        entry = HttpEntry(url=service_url(url, "url"), path=PATH, body="base64", sign="aws")
        made.append(EngineThread(lambda: open_engines({"labels": entry}, ACCOUNT)))
        return made[-1]

    yield engine
    for one in made:
        await asyncio.to_thread(one.close)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(find_ffmpeg(""), tmp_path_factory.mktemp("clip") / "clip.mp4", SEED, SECONDS, SIZE)


async def annotated(clip: Path, folder: Path, engines: EngineThread) -> VideoRun:
    run = VideoRun(clip, folder / "run", engines)
    await run.plan()
    await run.annotate("labels", max_fps=5)
    return run


async def test_the_boxes_of_a_hosted_detector_are_tracked_like_those_of_services(
    clip: Path, tmp_path: Path, opened: Opened
) -> None:
    check = SignatureCheck(predict=seen_in)
    async with server(check) as it:
        run = await annotated(clip, tmp_path, opened(it.url))
        assert {asked.path for asked in it.asked} == {PATH}
    stats = document(run, "stats.json")
    assert (stats["processed_frames"], stats["failed_frames"], len(check.bodies)) == (10, 0, 10)
    assert stats["track_stats"] == {"person": 2, "car": 1, "dog": 1, "bus": 1, "bicycle": 1}
    line = orjson.loads(run.file("video_track", "detections.jsonl").read_text().splitlines()[0])
    assert (line["services"], line["image_id"]) == (["labels"], None)
    made = {path.name for path in await run.thumbnails("video_track")}
    assert {"poster.jpg", "contact_sheet.jpg", "thumbnails.vtt"} <= made, "nothing was encoded for them"


async def test_a_picture_that_it_fails_with_is_asked_twice_and_counted(
    clip: Path, tmp_path: Path, opened: Opened
) -> None:
    bad = iter(["fail", "fail", "nonsense"])

    async def answer(request: web.Request) -> web.StreamResponse:
        how = next(bad, "well") if request.method == "POST" else "well"
        if how == "fail":
            return web.json_response({"message": "ModelError"}, status=500)
        return web.json_response({"predictions": [BOX] if how == "well" else [{"class_name": "dog"}]})

    async with server(answer) as it:
        run = VideoRun(clip, tmp_path / "run", opened(it.url))
        await run.plan()
        with pytest.raises(WindmillError, match="nobody looked at 2 of 10 pictures") as raised:
            await run.annotate("labels", max_fps=5)
    assert "labels failed with 1 pictures: BAD_RESPONSE" in raised.value.message
    assert "labels failed with 1 pictures: SERVICE_ERROR" in raised.value.message


async def test_with_a_wrong_signature_the_job_waits_for_its_operator(
    clip: Path, tmp_path: Path, opened: Opened
) -> None:
    async with server(SignatureCheck("another")) as it:
        with pytest.raises(WindmillError) as raised:
            await annotated(clip, tmp_path, opened(it.url))
        assert len(it.asked) < 3, "it is not asked picture by picture"
    assert raised.value.retry == "pause"


def test_boxes_are_read_from_corners_or_sides() -> None:
    wanted = {"x": 10, "y": 20, "width": 30, "height": 40}
    for box in (BOX["bbox"], wanted, [10, 20, 40, 60]):
        assert boxes_of([{**BOX, "bbox": box}], "labels")[0]["merged_bbox"] == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        "a dog",
        {**BOX, "class_name": ""},
        {**BOX, "confidence": 1.5},
        {**BOX, "confidence": None},
        {**BOX, "bbox": {"x1": 10, "y1": 20, "x2": 5, "y2": 60}},
        {**BOX, "bbox": [1, 2, 3]},
        {**BOX, "bbox": {"x1": 10, "y1": 20, "x2": float("inf"), "y2": 60}},
    ],
)
def test_what_is_no_box_is_a_bad_answer(wrong: object) -> None:
    with pytest.raises(WindmillError, match="BAD_RESPONSE"):
        boxes_of([wrong], "labels")
