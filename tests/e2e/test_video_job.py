"""A video as a job of several segments: workers that are killed cost a segment each, and no frame."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.test_preset_job import PresetScene
from tests.integration.fleet import Fleet
from tests.unit.media.made_clips import made_clip, tools
from windmill import broker
from windmill.core.settings import Settings
from windmill.media.video.scanning import scan_video
from windmill.pipelines.job_steps.catalog import STEPS

pytestmark = [pytest.mark.database, pytest.mark.broker]


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[PresetScene]:
    fleet.environ |= {"TASK_LEASE_SECONDS": "3", "ARTIFACTS_URL": str(fleet.folder / "artifacts")}
    yield PresetScene(fleet)
    await fleet.kill_all()
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])


@pytest.mark.slow(reason="a video of several segments, encoded by two workers of which one is killed: about 30 s")
async def test_a_killed_worker_costs_a_segment_and_no_frame(scene: PresetScene, tmp_path: Path) -> None:
    clip = made_clip(tmp_path / "clip.mp4", seconds=40, size="320x180", keyframes=60, sound=41)
    await scene.worker("one")
    await scene.worker("two")
    asked = ("--input", "style=anime", "--input", "seed=7", "--quality", "low")
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
    assert made["playlist.m3u8"].read_text().count("#EXTINF") == 7
    assert not list((scene.fleet.folder / "var").rglob("encoded.mp4")), "a scratch folder was left"


async def test_a_file_that_is_no_video_fails_its_job_and_says_why(scene: PresetScene, tmp_path: Path) -> None:
    await scene.worker("one")
    (tmp_path / "list.mp4").write_bytes(b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n")
    job = await scene.submit("color_grade_film_grain_v1", "--file", f"video={tmp_path / 'list.mp4'}")
    watched = await scene.fleet.run("windmill", "jobs", "watch", job)
    assert watched.code == 1
    assert "error_code: VIDEO_UNREADABLE" in watched.out
