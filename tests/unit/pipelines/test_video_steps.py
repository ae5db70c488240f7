"""The steps on videos: every frame of the source is in the result, at its time, whatever the source is like."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.kernels.pictures.made_pictures import scene
from tests.unit.media.made_clips import X264, ffmpeg, made_clip, tools, uneven_clip
from tests.unit.pipelines.video_run import VideoRun
from windmill.core.errors import WindmillError
from windmill.media.video.scanning import ScannedVideo, scan_video


def rotated(path: Path) -> Path:
    """As a telephone that was held upright writes it."""
    upright = made_clip(path.with_name("lying.mp4"))
    data = bytearray(upright.read_bytes())
    matrix = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
    turned = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000")
    place = data.index(matrix, data.index(b"tkhd"))
    data[place : place + len(matrix)] = turned
    path.write_bytes(data)
    return path


def cut_in_the_middle(path: Path) -> Path:
    """Its first packets are decoded and not shown."""
    made_clip(whole := path.with_name("whole.mp4"), sound=3)
    ffmpeg("-ss", "0.7", "-i", str(whole), "-c", "copy", str(path))
    return path


def decodes_before_zero(path: Path) -> Path:
    """Nothing in the file says that its first frame is to be shown at 0."""
    made_clip(whole := path.with_name("whole.mp4"), sound=3)
    ffmpeg("-i", str(whole), "-c", "copy", "-use_editlist", "0", str(path))
    return path


CLIPS: dict[str, tuple[str, Callable[[Path], Path], int]] = {
    "30": ("a.mp4", lambda path: made_clip(path, sound=3), 90),
    "29.97": ("a.mp4", lambda path: made_clip(path, rate="30000/1001", sound=3), 90),
    "23.976 in Matroska": ("a.mkv", lambda path: made_clip(path, rate="24000/1001", sound=3), 72),
    "uneven": ("a.mp4", uneven_clip, 90),
    "rotated": ("a.mp4", rotated, 90),
    "odd": ("a.mp4", lambda path: made_clip(path, size="97x65", codec=(*X264[:6], "-pix_fmt", "yuv444p")), 90),
    "longer sound": ("a.mp4", lambda path: made_clip(path, sound=5), 90),
    "cut": ("a.mp4", cut_in_the_middle, 69),
    "no edit list": ("a.mp4", decodes_before_zero, 90),
    "one frame": ("a.mp4", lambda path: made_clip(path, seconds=0.03), 1),
    "10 ms": ("a.mp4", lambda path: made_clip(path, rate="200", seconds=0.01), 2),
    "AVI": ("a.avi", lambda path: made_clip(path, codec=("-c:v", "mpeg4", "-bf", "2"), sound=3), 90),
    "no closed keyframes": (
        "a.mp4",
        lambda path: made_clip(path, options=("-x264-params", "open-gop=1:keyint=15:bframes=3"), codec=X264[:2]),
        90,
    ),
}


MORE_CLIPS = ["30", "23.976 in Matroska", "longer sound", "10 ms", "AVI", "no closed keyframes"]
SLOW = pytest.mark.slow(reason="2 s each: more kinds of clips are made, taken apart and joined")


def seconds_of(video: ScannedVideo) -> list[Fraction]:
    """When each frame is shown, from the first on."""
    times = [time * video.stream.time_base for time in video.stream.shown]
    return [time - times[0] for time in times]


@pytest.mark.parametrize("kind", [pytest.param(one, marks=SLOW if one in MORE_CLIPS else ()) for one in CLIPS])
async def test_every_frame_is_there_at_its_time_and_the_sound_beside_it(kind: str, tmp_path: Path) -> None:
    name, make, frames = CLIPS[kind]
    source = make(tmp_path / name)
    before = scan_video(tools(), source)
    after = scan_video(tools(), await VideoRun(source, tmp_path / "run").all())
    assert len(after.stream.shown) == frames
    if before.has_times:
        steps = zip(seconds_of(before), seconds_of(after), strict=True)
        assert max(abs(one - other) for one, other in steps) < Fraction(1, 1_000)
    assert (after.width, after.height) == (before.width + before.width % 2, before.height + before.height % 2)
    if before.audio:
        assert after.audio
        base, other = before.stream, after.stream
        delay = before.audio.first - base.shown[0] * base.time_base if before.has_times else Fraction(0)
        frame = Fraction(1, 30)  # which is how far versions of ffmpeg differ on a format that keeps no times
        assert abs(after.audio.first - other.shown[0] * other.time_base - delay) <= frame
        assert abs((after.audio.end - after.audio.first) - (before.audio.end - before.audio.first)) < frame


async def test_frames_through_the_pipe_of_a_worker_have_the_same_times(tmp_path: Path) -> None:
    source = uneven_clip(tmp_path / "a.mp4", 2)
    through = scan_video(tools(), await VideoRun(source, tmp_path / "pipe").all(frame_pipe=True))
    direct = scan_video(tools(), await VideoRun(source, tmp_path / "direct").all())
    assert through.stream.shown == direct.stream.shown


async def test_a_video_is_cut_at_keyframes_and_a_segment_is_a_task(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", sound=3), tmp_path / "run")
    planned = await run.plan()
    assert [(one["frames"], one["first"], one["end"]) for one in planned["segments"]] == [
        (30, 0, 15_360),
        (30, 15_360, 30_720),
        (30, 30_720, 46_080),
    ]
    assert len(await run.encode()) == 3


async def test_a_restyled_clip_looks_drawn_and_is_the_same_each_time(tmp_path: Path) -> None:
    source = made_clip(tmp_path / "a.mp4", seconds=2)
    drawn = [await VideoRun(source, tmp_path / name).all(["default"], style="manga", seed=7) for name in ("one", "two")]
    assert drawn[0].read_bytes() == drawn[1].read_bytes()
    ffmpeg("-i", str(drawn[0]), "-frames:v", "1", str(tmp_path / "frame.png"))
    with Image.open(tmp_path / "frame.png") as frame:
        red, green, blue = frame.convert("RGB").resize((24, 16)).split()
    assert max(abs(a - b) for a, b in zip(red.tobytes(), blue.tobytes(), strict=True)) < 6
    assert len(set(green.tobytes())) > 3


async def test_the_job_is_told_that_no_model_was_asked(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=2), tmp_path / "run")
    await run.plan()
    warnings = [warning for result in await run.encode(["default"]) for warning in result.warnings]
    assert len(warnings) == 1
    assert "no model was asked" in warnings[0]


async def test_a_picture_becomes_a_clip(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "still.png")
    run = VideoRun(tmp_path / "still.png", tmp_path / "run")
    await run.plan(still_seconds=1)
    await run.encode(style="studio")
    made = scan_video(tools(), await run.join())
    assert (len(made.stream.shown), made.width, made.height) == (25, 128, 96)


async def test_pictures_along_the_video_have_a_track_that_says_when_they_are_shown(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=4), tmp_path / "run")
    await run.all()
    made = {path.name: path for path in await run.thumbnails()}
    assert set(made) == {"poster.jpg", "contact_sheet.jpg", "sprites_1.jpg", "thumbnails.vtt", "preview.webp"}
    cues = [line for line in made["thumbnails.vtt"].read_text().splitlines() if "#xywh=" in line]
    assert len(cues) == 8
    with Image.open(made["sprites_1.jpg"]) as sheet:
        assert sheet.size == (1280, 107)
    with Image.open(made["preview.webp"]) as preview:
        assert getattr(preview, "n_frames", 1) == 8


async def test_thumbnails_that_fail_are_a_warning(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=1), tmp_path / "run")
    await run.all()
    run.file("video_stitch", "video.mp4").write_bytes(b"broken")
    assert await run.thumbnails() == []
    (result,) = run.results["video_thumbnails"]
    assert result.warnings[0].startswith("there are no thumbnails: ")


async def test_a_segment_that_lost_frames_is_not_joined(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4"), tmp_path / "run")
    await run.plan()
    made = await run.encode()
    made[1].output["done"]["frames"] -= 1
    with pytest.raises(WindmillError, match="FRAMES_LOST: the source has 90 frames, the segments have 89"):
        await run.join()
