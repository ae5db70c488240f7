"""A video as a job of several segments: workers that are killed cost a segment each, and no frame."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dev.farm.moving_scenes import moving_scene, write_clip
from tests.e2e.conftest import Farm
from tests.e2e.preset_scene import PresetScene, preset_scene
from tests.integration.fleet import Fleet
from tests.unit.kernels.video.mot_scores import MotScores, mot_scores
from tests.unit.media.made_clips import made_clip, tools
from windmill.core.settings import Settings
from windmill.kernels.video.track_paths import TrackPath
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.scanning import scan_video

pytestmark = [pytest.mark.database, pytest.mark.broker]


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[PresetScene]:
    async with preset_scene(fleet, settings) as running:
        yield running


@pytest.mark.slow(reason="a video of several segments, encoded by two workers of which one is killed: about 30 s")
async def test_a_killed_worker_costs_a_segment_and_no_frame(scene: PresetScene, tmp_path: Path) -> None:
    clip = made_clip(tmp_path / "clip.mp4", seconds=40, size="320x180", keyframes=60, sound=41)
    await scene.worker("one")
    await scene.worker("two")
    asked = ("--input", "style=anime", "--input", "seed=7", "--input", "measure_quality=true", "--quality", "low")
    job = await scene.submit("restyle_video_v1", "--file", f"clip={clip}", *asked)
    await scene.kill_the_one_that_works()
    ended = await scene.asked("jobs", "watch", job)
    assert [(step["name"], step["status"]) for step in ended["steps"]] == [
        (name, "succeeded") for name in ("plan", "restyle", "verify", "stitch", "thumbnails")
    ]
    assert await scene.fleet.rows.fetchval("SELECT sum(lost) FROM tasks") == 1
    assert await scene.fleet.rows.fetchval("SELECT sum(attempt) - count(*) FROM tasks") == 1, "one task was done again"
    words = ("artifacts", "fetch", job, "--step", "stitch", "--to", str(tmp_path / "made"))
    made = {Path(path).name: Path(path) for path in await scene.asked(*words)}
    video = scan_video(tools(), made["video.mp4"])
    assert len(video.stream.shown) == 1_200
    assert video.audio
    assert abs(video.audio.end - 41) < 0.05
    quality = json.loads(made["quality.json"].read_text())
    assert (quality["frames"], quality["not_measured"]) == (1_200, [])
    assert 0.4 < quality["least_ssim"] < quality["ssim"] < 0.99, "it is drawn in a style"
    assert not [told for told in ended["warnings"] if "quality" in told]
    assert made["playlist.m3u8"].read_text().count("#EXTINF") == 7
    await scene.worker("three")
    assert not list(scene.scratch.rglob("encoded.mp4")), "the scratch folder of the killed worker was left"


@pytest.mark.slow(reason="a video is looked at by services, drawn and watched by four processes: about 30 s")
async def test_a_video_is_annotated_by_the_services_of_the_fleet(
    scene: PresetScene, farm: Farm, tmp_path: Path
) -> None:
    clip = write_clip(find_ffmpeg(""), tmp_path / "clip.mp4", 3, 12, (960, 540))
    await scene.fleet.worker("yolov8,rtdetr")
    await scene.worker("one")
    await scene.worker("two")
    job = await scene.submit("annotate_video_v1", "--file", f"video={clip}", "--input", "services=yolov8,rtdetr")
    ended = await scene.asked("jobs", "watch", job)
    assert ended["status"] == "succeeded", scene.fleet.logs()
    words = ("artifacts", "fetch", job, "--step", "track", "--to", str(tmp_path / "told"))
    told = {Path(path).name: Path(path) for path in await scene.asked(*words)}
    stats = json.loads(told["stats.json"].read_text())
    assert (stats["total_frames"], stats["processed_frames"], stats["failed_frames"]) == (300, 48, 0)
    rows = await scene.fleet.rows.fetch("SELECT image_filename FROM images WHERE image_group = $1", f"job-{job}")
    assert len(rows) == 48
    assert any(row[0].startswith("frame_000050_2.00s-") for row in rows)
    scores = found_and_true(json.loads(told["tracks.json"].read_text()))
    assert scores.mota > 0.6, scores
    assert scores.idf1 > 0.7, scores
    (path,) = [
        Path(one)
        for one in await scene.asked("artifacts", "fetch", job, "--step", "stitch", "--to", str(tmp_path / "made"))
        if one.endswith(".mp4")
    ]
    assert len(scan_video(tools(), path).stream.shown) == 300
    asked = farm.calls("yolov8")
    again = await scene.submit("annotate_without_reencode_v1", "--file", f"video={clip}", "--input", "services=yolov8")
    assert (await scene.asked("jobs", "watch", again))["status"] == "succeeded", scene.fleet.logs()
    assert farm.calls("yolov8") == asked, "what was answered is not asked again"


def found_and_true(tracks: Mapping[str, Any]) -> MotScores:
    """Of each frame."""
    paths, size = [TrackPath.of(one) for one in tracks["tracks"]], (tracks["width"], tracks["height"])
    truth, found = [], []
    for number in range(300):
        drawn, names = moving_scene(3, number / 25, size, 12.0)
        truth.append({name: thing.box for name, thing in zip(names, drawn.things, strict=True)})
        found.append({str(one.number): box for one in paths if (box := one.box_at(number / 25))})
    return mot_scores(truth, found)


async def test_a_file_that_is_no_video_fails_its_job_and_says_why(scene: PresetScene, tmp_path: Path) -> None:
    await scene.worker("one")
    (tmp_path / "list.mp4").write_bytes(b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n")
    job = await scene.submit("color_grade_film_grain_v1", "--file", f"video={tmp_path / 'list.mp4'}")
    watched = await scene.fleet.run("windmill", "jobs", "watch", job)
    assert watched.code == 1
    assert "error_code: VIDEO_UNREADABLE" in watched.out
