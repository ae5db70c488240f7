"""What is drawn into a video, and told of it: against the truth of a clip whose frames say what is to be seen."""

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dev.farm.moving_scenes import moving_scene, read_moment, write_clip
from tests.unit.media.made_clips import ffmpeg, made_clip, tools, uneven_clip
from tests.unit.pipelines.test_video_steps import rotated
from tests.unit.pipelines.video_run import VideoRun
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, OnProgress
from windmill.engines.outputs import gather, prepare
from windmill.jobs.step_state import NoBreaker, StepBreaker
from windmill.kernels.video.frame_canvas import FrameCanvas, sprite_of, track_color
from windmill.kernels.video.track_paths import TrackPath
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.scanning import scan_video
from windmill.pipelines.video.track import read_seen

SIZE, SECONDS, SEED = (640, 360), 4, 3


@dataclass
class SeeingFleet:
    """Answers as the services of a fleet do, of what the pictures themselves say; `silent` of them nobody answers."""

    silent: int = 0
    asked: list[str] = field(default_factory=list)
    breaker: StepBreaker = field(default_factory=NoBreaker)

    def version_of(self, name: str) -> str:
        return ""

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineOutput:
        prepare(request)
        images = [self._image(name, path) for name, path in request.inputs.items()]
        document = {"services": ["yolov8"], "images": images, "failed": {}}
        (request.out / "answers.json").write_text(json.dumps(document))
        return EngineOutput(gather(request.out, request))

    def _image(self, name: str, path: Path) -> dict[str, Any]:
        self.asked.append(name)
        with Image.open(path) as picture:
            known = {"name": name, "image_id": len(self.asked), "width": picture.width, "height": picture.height}
            scene = read_moment(np.asarray(picture.convert("RGB")))
        if len(self.asked) <= self.silent:
            return {**known, "boxes": [], "failures": {"yolov8": {"code": "SERVICE_TIMEOUT", "message": ""}}}
        boxes = [
            {
                "label": thing.label,
                "confidence": 0.9,
                "merged_bbox": dict(zip(("x", "y", "width", "height"), thing.box, strict=True)),
                "contributing_services": ["yolov8"],
            }
            for thing in (scene.things if scene else ())
        ]
        return {**known, "boxes": boxes, "failures": {}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(find_ffmpeg(""), tmp_path_factory.mktemp("clip") / "clip.mp4", SEED, SECONDS, SIZE)


def document(run: VideoRun, name: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(run.file("video_track", name).read_text())


async def test_every_frame_is_there_with_a_box_around_each_thing(clip: Path, tmp_path: Path) -> None:
    fleet = SeeingFleet()
    run = VideoRun(clip, tmp_path / "run", fleet)
    await run.plan()
    await run.annotate(max_fps=5)
    await run.draw()
    video = await run.join("video_draw")
    assert len(scan_video(tools(), video).stream.shown) == 100
    assert scan_video(tools(), video).audio
    assert fleet.asked[:2] == ["frame_000000_0.00s", "frame_000005_0.20s"]
    stats = document(run, "stats.json")
    assert (stats["total_frames"], stats["processed_frames"], stats["failed_frames"]) == (100, 20, 0)
    assert stats["track_stats"] == {"person": 2, "car": 1, "dog": 1, "bus": 1, "bicycle": 1}
    assert run.results["video_track"][0].output["stats"] == stats
    seconds = 2.08  # between two pictures that were looked at
    ffmpeg("-i", str(video), "-vf", f"select='gte(t,{seconds})'", "-frames:v", "1", str(tmp_path / "frame.png"))
    with Image.open(tmp_path / "frame.png") as frame:
        pixels = np.asarray(frame.convert("RGB")).astype(int)
    scene, _ = moving_scene(SEED, seconds, SIZE, SECONDS)
    tracks = {one["label"]: one for one in document(run, "tracks.json")["tracks"] if one["begins"] <= 2 <= one["ends"]}
    for thing in scene.things:
        if thing.label == "person":
            continue  # there are two
        left, top, _, height = thing.box
        color = track_color(tracks[thing.label]["track"])
        edges = pixels[top + height // 2, max(left - 4, 0) : left + 6]
        assert np.abs(edges - np.array(color)).sum(axis=1).min() < 120, (thing.label, color, edges)


async def test_detections_name_frame_time_image_and_track(clip: Path, tmp_path: Path) -> None:
    run = VideoRun(clip, tmp_path / "run", SeeingFleet())
    await run.plan()
    await run.annotate(max_fps=5)
    lines = [json.loads(line) for line in run.file("video_track", "detections.jsonl").read_text().splitlines()]
    assert set(lines[0]) == {"frame", "time", "image_id", "label", "score", "box", "services", "track"}
    assert all(one["time"] == pytest.approx(one["frame"] / 25) for one in lines)
    assert [one["frame"] for one in lines] == sorted(one["frame"] for one in lines)
    people = {one["track"] for one in document(run, "timeline.json")["tracks"] if one["label"] == "person"}
    assert people == {one["track"] for one in lines if one["label"] == "person"}
    assert run.file("video_track", "boxes.vtt").read_text().startswith("WEBVTT\n")


@pytest.mark.parametrize(("silent", "code"), [(1, ""), (2, "SERVICE_TIMEOUT")])
async def test_pictures_that_nobody_looked_at_are_counted_and_too_many_fail_the_job(
    clip: Path, tmp_path: Path, silent: int, code: str
) -> None:
    run = VideoRun(clip, tmp_path / "run", SeeingFleet(silent))
    await run.plan()
    if code:
        with pytest.raises(WindmillError, match="nobody looked at 2 of 20 pictures, more than 5%") as raised:
            await run.annotate(max_fps=5)
        assert (raised.value.code, raised.value.retry) == (code, "never")
        return
    await run.annotate(max_fps=5)
    assert document(run, "stats.json")["failed_frames"] == 1
    assert run.results["video_track"][0].warnings == ["yolov8 failed with 1 pictures: SERVICE_TIMEOUT"]


ODD: dict[str, Callable[[Path], Path]] = {
    "rotated": rotated,
    "uneven": uneven_clip,
    "one frame": lambda path: made_clip(path, seconds=0.03),
}


@pytest.mark.parametrize("kind", ODD)
async def test_odd_videos_keep_all_their_frames_and_times(kind: str, tmp_path: Path) -> None:
    source = ODD[kind](tmp_path / "a.mp4")
    run = VideoRun(source, tmp_path / "run", SeeingFleet())
    await run.plan()
    await run.annotate(max_fps=5)
    await run.draw()
    before, after = scan_video(tools(), source), scan_video(tools(), await run.join("video_draw"))
    steps = [[b - a for a, b in pairwise(one.stream.shown)] for one in (before, after)]
    assert [step * before.stream.time_base for step in steps[0]] == [step * after.stream.time_base for step in steps[1]]
    assert document(run, "stats.json")["total_frames"] == len(after.stream.shown)


async def test_scenes_end_within_a_segment_and_between_two(tmp_path: Path) -> None:
    drawn = [f"color=c={color}:s=96x64:r=25:d=1" for color in ("red", "blue", "green", "white")]
    inputs = [word for one in drawn for word in ("-f", "lavfi", "-i", one)]
    codec = ("-c:v", "libx264", "-g", "50", "-sc_threshold", "0")
    ffmpeg(*inputs, "-filter_complex", "concat=n=4", *codec, str(tmp_path / "a.mp4"))
    run = VideoRun(tmp_path / "a.mp4", tmp_path / "run", SeeingFleet())
    assert len((await run.plan(segment_seconds=2))["segments"]) == 2
    await run.annotate(max_fps=4)
    assert [one.frame for one in read_seen(run.files("video_detect")) if one.cut] == [25, 50, 75]


def turned(clip: Path, path: Path, degrees: int) -> Path:
    """The clip as a telephone writes it that was held otherwise: its frames lie, and a matrix says how to turn them."""
    filters = {90: "transpose=2", 180: "hflip,vflip", 270: "transpose=1"}
    ffmpeg("-i", str(clip), "-vf", filters[degrees], "-c:v", "libx264", "-g", "25", "-crf", "16", str(path))
    upright = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    across, down = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = [across, down, 0, -down, across, 0, 0, 0, 0]
    lying = struct.pack(">9i", *(0x10000 * one for one in matrix[:8]), 0x40000000)
    data = path.read_bytes()
    place = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:place] + lying + data[place + len(lying) :])
    return path


TURNED_SLOW = pytest.mark.slow(reason="9 s each: a clip is made, looked at and drawn on")


@pytest.mark.parametrize("degrees", [90, pytest.param(180, marks=TURNED_SLOW), pytest.param(270, marks=TURNED_SLOW)])
async def test_boxes_are_where_things_are_seen_however_the_camera_was_held(
    clip: Path, tmp_path: Path, degrees: int
) -> None:
    source = turned(clip, tmp_path / "turned.mp4", degrees)
    run = VideoRun(source, tmp_path / "run", SeeingFleet())
    await run.plan()
    await run.annotate(max_fps=2)
    tracks = document(run, "tracks.json")
    assert (tracks["width"], tracks["height"]) == SIZE
    (dog,) = [TrackPath.of(one) for one in tracks["tracks"] if one["label"] == "dog"]
    scene, _ = moving_scene(SEED, 1.0, SIZE, SECONDS)
    (true,) = [thing.box for thing in scene.things if thing.label == "dog"]
    assert dog.box_at(1.0) == pytest.approx(true, abs=4)
    await run.draw()
    video = await run.join("video_draw")
    ffmpeg("-i", str(video), "-frames:v", "1", str(tmp_path / "frame.png"))
    with Image.open(tmp_path / "frame.png") as frame:
        assert read_moment(np.asarray(frame.convert("RGB"))) is not None, "it does not stand upright"


def test_a_label_stays_within_the_frame_and_covers_nothing_else() -> None:
    pixels = bytearray(b"\x80" * (64 * 48 * 3 // 2))
    canvas = FrameCanvas(pixels, 64, 48)
    sprite = sprite_of(np.full((10, 20, 3), 255, np.uint8), 48)
    canvas.paste(sprite, 1_000, -50)
    luma = np.frombuffer(pixels, np.uint8)[: 64 * 48].reshape(48, 64)
    assert (luma[:10, 44:] == 235).all()
    assert (luma == 235).sum() == 200
