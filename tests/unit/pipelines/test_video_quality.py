"""How near a result is to its source, by segment: what a job that asks is told, and that it never fails by it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.media.made_clips import ffmpeg, made_clip, tools
from tests.unit.pipelines.test_video_steps import cut_in_the_middle
from tests.unit.pipelines.video_run import VideoRun
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.running import VideoTools
from windmill.pipelines.video.encode import VideoEncode

BRIGHTER = 40


async def measured(run: VideoRun, engines: Sequence[str] = (), **given: object) -> dict[str, Any]:
    await run.all(engines, measure_quality=True, **given)
    report: dict[str, Any] = json.loads(run.file("video_stitch", "quality.json").read_bytes())
    return report


def blinking(path: Path) -> Path:
    """Even frames are black, odd ones a little brighter: each is so far from the one before."""
    shown = f"geq=lum='16+{BRIGHTER}*mod(N\\,2)':cb=128:cr=128"
    ffmpeg("-f", "lavfi", "-i", "color=black:s=96x64:r=30:d=1", "-vf", f"{shown},format=yuv420p",
           *("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-g", "30", str(path)))  # fmt: skip
    return path


async def test_flicker_is_how_far_brightness_moves_and_is_told_beside_that_of_the_source(tmp_path: Path) -> None:
    report = await measured(VideoRun(blinking(tmp_path / "a.mp4"), tmp_path / "run"), crf=1)
    assert report["source_flicker"] == pytest.approx(BRIGHTER, abs=0.2)
    assert report["flicker"] == pytest.approx(BRIGHTER, abs=1)
    assert report["ssim"] > 0.98
    even = await measured(VideoRun(tmp_path / "a.mp4", tmp_path / "even"), crf=1, deflicker=5)
    assert even["source_flicker"] == report["source_flicker"]
    assert even["flicker"] < 0.6 * report["flicker"]


async def test_the_less_is_kept_the_less_alike_are_both_and_segments_are_told_one_by_one(tmp_path: Path) -> None:
    source = made_clip(tmp_path / "a.mp4", seconds=2)
    fine, coarse = [
        await measured(VideoRun(source, tmp_path / str(crf)), crf=crf, x264_preset="veryfast") for crf in (10, 45)
    ]
    assert 1 >= fine["ssim"] > 0.97 > coarse["ssim"] > coarse["least_ssim"] > 0
    assert [(one["segment"], one["frames"]) for one in fine["segments"]] == [(0, 30), (1, 30)]
    assert fine["ssim"] == pytest.approx(sum(one["ssim"] for one in fine["segments"]) / 2, abs=1e-3)
    assert (fine["frames"], fine["not_measured"]) == (60, [])


def of_a_still(folder: Path) -> Path:
    Image.effect_noise((96, 64), 40).save(folder / "still.png")
    return folder / "still.png"


ALIKE: dict[str, tuple[Callable[[Path], Path], dict[str, Any], int]] = {
    "frames that are decoded and not shown": (lambda folder: cut_in_the_middle(folder / "a.mp4"), {}, 69),
    "odd sides": (lambda folder: made_clip(folder / "a.mp4", size="97x65", seconds=1), {}, 30),
    "a larger result": (lambda folder: made_clip(folder / "a.mp4", seconds=1), {"scale": 2}, 30),
    "through the pipe": (lambda folder: made_clip(folder / "a.mp4", seconds=1), {"frame_pipe": True}, 30),
    "a picture": (of_a_still, {}, 100),
}


@pytest.mark.parametrize("kind", ALIKE)
async def test_frames_are_compared_with_their_own_whatever_the_source_is_like(kind: str, tmp_path: Path) -> None:
    make, given, frames = ALIKE[kind]
    report = await measured(VideoRun(make(tmp_path), tmp_path / "run"), crf=4, **given)
    assert report["least_ssim"] > 0.94
    assert report["frames"] == frames
    assert report["flicker"] == pytest.approx(report["source_flicker"], rel=0.1, abs=0.05)


async def test_a_drawn_clip_is_less_like_its_source_than_one_that_is_only_encoded(tmp_path: Path) -> None:
    source = made_clip(tmp_path / "a.mp4", seconds=1)
    plain = await measured(VideoRun(source, tmp_path / "plain"))
    drawn = await measured(VideoRun(source, tmp_path / "drawn"), ["default"], style="manga", seed=7)
    assert drawn["ssim"] < plain["ssim"] - 0.05


async def test_frames_that_are_too_small_to_compare_are_a_warning(tmp_path: Path) -> None:
    for size, told in (("14x64", ["its frames are 14 x 64, too small to compare"]), ("16x16", [])):
        run = VideoRun(made_clip(tmp_path / f"{size}.mp4", seconds=0.1, size=size), tmp_path / size)
        await run.all(measure_quality=True)
        (result,) = run.results["video_encode"]
        assert [warning.rpartition(": ")[2] for warning in result.warnings] == told
        assert told or 0.5 < result.output["quality"]["least_ssim"] <= 1


async def test_pictures_along_the_video_are_made_of_the_video_beside_the_report(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=1), tmp_path / "run")
    await measured(run)
    assert len(await run.thumbnails()) == 5


async def test_nothing_is_measured_unless_a_job_asks_for_it(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=1), tmp_path / "run")
    await run.all()
    assert [path.name for path in run.files("video_stitch")] == ["video.mp4", "playlist.m3u8"]


def fails_to_compare(folder: Path, times: int) -> Callable[[], VideoTools]:
    """A program that is ffmpeg, but cannot compare so many segments."""
    (left := folder / "left").write_text("x\n" * times)
    script = folder / "ffmpeg"
    lines = [
        "#!/bin/sh",
        f'case "$*" in *ssim*) if [ -s {left} ]; then sed -i 1d {left}; echo broken >&2; exit 1; fi;; esac',
        f'exec {find_ffmpeg("")} "$@"',
    ]
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    return lambda: tools(FFMPEG=str(script))


@pytest.mark.parametrize(("failing", "files"), [(1, 3), (3, 2)])
async def test_a_segment_that_cannot_be_measured_is_a_warning(tmp_path: Path, failing: int, files: int) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4"), tmp_path / "run")
    await run.plan()
    step = VideoEncode(run.engines, fails_to_compare(tmp_path, failing))
    given = {"x264_preset": "ultrafast", "measure_quality": True}
    made = await run.step(step, "video_plan", {"segments": run.files("video_plan")}, given)
    told = [warning for result in made for warning in result.warnings]
    assert told == [
        f"the quality of segment {number + 1} was not measured: PROCESS_FAILED: ffmpeg ended with status 1: broken"
        for number in range(failing)
    ]
    await run.join()
    assert len(run.files("video_stitch")) == files
    if failing < 3:
        report = json.loads(run.file("video_stitch", "quality.json").read_bytes())
        assert (report["frames"], report["not_measured"]) == (60, [0])
