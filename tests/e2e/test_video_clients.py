"""Literal clients of the video service and of the stylising service, from the upload to the video that they fetch."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.farm.moving_scenes import write_clip
from tests.e2e.conftest import Farm
from tests.integration.fleet import Fleet
from tests.integration.gateway_scene import GatewayScene, gateway_scene
from tests.unit.media.made_clips import tools
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.scanning import scan_video
from windmill.pipelines.job_steps.catalog import STEPS

pytestmark = [pytest.mark.database, pytest.mark.broker]
SLOW = "videos go through a gateway, services and steps, each in a process of its own: about 40 s"


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings, farm: Farm, tmp_path: Path) -> AsyncIterator[GatewayScene]:
    fleet.environ["ARTIFACTS_URL"] = str(tmp_path / "artifacts")
    async with gateway_scene(fleet, settings, tmp_path) as made:
        await made.start()
        await fleet.worker("yolov8,rtdetr,detectron2")
        await fleet.start("workers.jobs", STEPS="all").says(" running steps ")
        yield made
        await fleet.kill_all()
        async with broker.connection(settings, "test") as opened:
            await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])


async def ended(scene: GatewayScene, client: httpx.AsyncClient, path: str, *within: str) -> tuple[Any, list[str]]:
    """The last answer of a client that asks until its job is done, and the words that it has seen."""
    seen: list[str] = []
    told: Any = None

    async def done() -> bool:
        nonlocal told
        told = (await client.get(path)).json()
        for name in within:
            told = told[name]
        seen.append(told["status"])
        return told["status"] in ("completed", "failed")

    await until(done, 240, scene.fleet.logs)
    return told, seen


@pytest.mark.slow(reason=SLOW)
@pytest.mark.timeout(400)
async def test_a_client_of_the_video_service_gets_its_video_with_boxes_and_counts(
    scene: GatewayScene, tmp_path: Path
) -> None:
    clip = write_clip(find_ffmpeg(""), tmp_path / "clip.mp4", 3, 8, (640, 360))
    ann = await scene.user("operator")
    sent = await ann.post("/assets", files={"file": ("clip.mp4", clip.read_bytes())})
    made = await ann.post("/jobs", json={"video_id": sent.json()["asset"]["id"][:24]})
    assert made.status_code == 201, made.text
    job = made.json()["job"]["_id"]
    playlist = f"/jobs/{job}/playlist.m3u8"
    assert (await ann.get(playlist)).status_code == 404
    told, seen = await ended(scene, ann, f"/jobs/{job}", "job")
    assert (told["status"], told["progress"], told["error"]) == ("completed", 100, None), told
    assert set(seen) <= {"pending", "claimed", "processing", "completed"}
    stats, url = told["result"]["stats"], told["result"]["annotated_video_url"]
    assert (stats["total_frames"], stats["processed_frames"], stats["output_path"]) == (200, 32, url)
    assert stats["total_detections"] == sum(stats["detection_stats"].values()) > 5 * stats["total_tracks"]
    assert stats["track_stats"]["person"] == 2
    video = await ann.get(url)
    assert video.headers["content-type"] == "video/mp4"
    (tmp_path / "video.mp4").write_bytes(video.content)
    assert len(scan_video(tools(), tmp_path / "video.mp4").stream.shown) == 200
    listed = await ann.get(playlist)
    assert listed.headers["content-type"] == "application/vnd.apple.mpegurl"
    await plays(ann, listed.text, tmp_path)


async def plays(client: httpx.AsyncClient, playlist: str, folder: Path) -> None:
    """Load what a player would, one file after the other: together they are the video."""
    lines = playlist.splitlines()
    assert lines[-1] == "#EXT-X-ENDLIST"
    (header,) = [line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP")]
    pieces = [line for line in lines if not line.startswith("#")]
    parts = [(await client.get(url)).raise_for_status() for url in (header, *pieces)]
    assert {part.headers["content-type"] for part in parts} == {"video/mp4", "video/iso.segment"}
    (folder / "played.mp4").write_bytes(b"".join(part.content for part in parts))
    assert len(scan_video(tools(), folder / "played.mp4").stream.shown) == 200


@pytest.mark.slow(reason=SLOW)
@pytest.mark.timeout(400)
async def test_a_client_of_the_stylising_service_gets_a_video_of_a_clip_and_of_words(
    scene: GatewayScene, tmp_path: Path
) -> None:
    clip = write_clip(find_ffmpeg(""), tmp_path / "clip.mp4", 3, 3, (320, 180))
    ann = await scene.user("operator")
    asked = {"prompt": "as a manga", "style": "manga", "seed": "0"}
    sent = await ann.post("/api/upload", files={"file": ("a.mp4", clip.read_bytes())}, data=asked)
    words = await ann.post("/api/generate-from-prompt", json={"prompt": "a lighthouse", "style": "watercolour"})
    for answer, frames in ((sent, 75), (words, 100)):
        assert answer.status_code == 202, answer.text
        job = answer.json()["jobId"]
        told, seen = await ended(scene, ann, f"/api/status/{job}")
        assert (told["status"], told["progress"]) == ("completed", 100), told
        assert set(seen) <= {"queued", "processing", "completed"}
        video = await ann.get(told["resultUrl"])
        assert video.headers["content-type"] == "video/mp4"
        (tmp_path / "video.mp4").write_bytes(video.content)
        assert len(scan_video(tools(), tmp_path / "video.mp4").stream.shown) == frames
        small = await ann.get(f"/api/jobs/{job}/thumbnail")
        assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
