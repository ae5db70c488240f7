"""Engines that make the frames of a video: what they are given, what they may answer with, and that nothing is left of
a task that is stopped."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.media.made_clips import ffmpeg, made_clip, tools, uneven_clip
from tests.unit.media.test_hostile_videos import children
from tests.unit.pipelines.video_run import JOB, VideoRun
from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, EngineRequest, OnProgress
from windmill.engines.outputs import gather, prepare
from windmill.jobs.step_state import NoBreaker, StepBreaker
from windmill.jobs.task_run import GivenTask
from windmill.media.video.running import VideoTools, run_ffmpeg
from windmill.media.video.scanning import scan_video
from windmill.pipelines.video.encode import VideoEncode
from windmill.pipelines.video.video_task import work_on
from windmill.storage.jobs.rows import TaskKey


@dataclass
class FolderEngine:
    """Makes a negative of each frame that it is given, as a picture in a folder; `lost` of them it forgets."""

    lost: int = 0
    made: list[int] = field(default_factory=list)
    version: str = ""
    breaker: StepBreaker = field(default_factory=NoBreaker)

    def version_of(self, name: str) -> str:
        return self.version

    async def run(
        self, name: str, request: EngineRequest, on_progress: OnProgress, cancelled: asyncio.Event
    ) -> EngineOutput:
        prepare(request)
        (folder := request.out / "frames").mkdir()
        assert request.main_input
        passed = ("-fps_mode", "passthrough", str(folder / "frame_%04d.png"))
        ffmpeg("-i", str(request.main_input), "-vf", "negate", *passed)
        pictures = sorted(folder.iterdir())
        for path in pictures[len(pictures) - self.lost :]:
            path.unlink()
        self.made.append(len(pictures))
        return EngineOutput(gather(folder, request))


def mean_of_first_frame(video: Path, folder: Path) -> tuple[int, ...]:
    ffmpeg("-i", str(video), "-frames:v", "1", "-vf", "scale=1:1:flags=area", str(folder / "mean.png"))
    with Image.open(folder / "mean.png") as picture:
        pixel = picture.convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return tuple(map(int, pixel))


def small_frames(folder: Path) -> list[bytes]:
    paths = sorted(folder.glob("frame_*.png"))
    return [Image.open(path).convert("RGB").resize((80, 45)).tobytes() for path in paths]


async def test_pictures_in_a_folder_become_the_frames_each_at_the_time_of_its_own(tmp_path: Path) -> None:
    source, engine = uneven_clip(tmp_path / "a.mp4", 2), FolderEngine()
    made = await VideoRun(source, tmp_path / "run", engine).all(["painter"])
    before, after = (scan_video(tools(), path).stream for path in (source, made))
    assert [time - before.shown[0] for time in before.shown] == [time - after.shown[0] for time in after.shown]
    assert sum(engine.made) == 60
    means = mean_of_first_frame(source, tmp_path), mean_of_first_frame(made, tmp_path)
    assert all(abs(one + other - 255) < 12 for one, other in zip(*means, strict=True)), means


async def test_with_max_fps_an_engine_is_given_some_frames_and_all_are_shown(tmp_path: Path) -> None:
    engine = FolderEngine()
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=2), tmp_path / "run", engine)
    made = await run.all(["painter"], max_fps=10, scene_change=0)
    assert engine.made == [10, 10]
    assert len(scan_video(tools(), made).stream.shown) == 60


async def test_an_engine_that_forgets_a_frame_breaks_its_contract(tmp_path: Path) -> None:
    run = VideoRun(made_clip(tmp_path / "a.mp4", seconds=1), tmp_path / "run", FolderEngine(lost=1))
    await run.plan()
    with pytest.raises(WindmillError, match="BAD_RESPONSE: the engine was given 30 frames and made 29"):
        await run.encode(["painter"])


async def test_nothing_runs_any_more_of_a_task_that_was_stopped(tmp_path: Path) -> None:
    task = GivenTask("1-0-0", JOB, {}, {}, {}, tmp_path, lambda _: None, key=TaskKey(1, 0, 0))
    running = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(given: VideoTools) -> str:
        def on_frames(_: int) -> None:
            loop.call_soon_threadsafe(running.set)

        arguments = ["-re", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-f", "null", "-"]
        return run_ffmpeg(given, arguments, "PROCESS_FAILED", on_frames=on_frames)

    working = asyncio.ensure_future(work_on(task, tools, endless))
    await asyncio.wait_for(running.wait(), 60)
    task.cancelled.set()
    with pytest.raises(WindmillError, match="CANCELLED"):
        await working
    assert children() == set()


async def test_a_style_is_as_steady_over_the_seam_of_two_segments_as_within_one(tmp_path: Path) -> None:
    """A still scene: all that changes is what the style and the encoder make of it."""
    still = made_clip(tmp_path / "one.mp4", seconds=0.03, size="320x180")
    still_scene = (
        "-vf",
        "loop=74:1:0,setpts=N/25/TB",
        "-r",
        "25",
        "-c:v",
        "libx264",
        "-g",
        "25",
        "-preset",
        "ultrafast",
    )
    ffmpeg("-i", str(still), *still_scene, str(tmp_path / "a.mp4"))
    run = VideoRun(tmp_path / "a.mp4", tmp_path / "run")
    video = await run.all(["default"], style="anime", seed=3)
    assert len(run.results["video_encode"]) == 3
    ffmpeg("-i", str(video), str(tmp_path / "frame_%03d.png"))
    frames = small_frames(tmp_path)
    changes = [
        sum(abs(a - b) for a, b in zip(before, after, strict=True)) / len(before) for before, after in pairwise(frames)
    ]
    assert max(changes[24], changes[49]) < 1.0, "grey levels, on average, from one segment to the next"


@pytest.mark.parametrize(
    ("engines", "version", "made_with"),
    [
        ([], "", []),
        (["painter"], "3", ["painter 3 restyle_video"]),
        (["painter"], "", None),
        (["painter", "other"], "3", None),
    ],
)
def test_a_segment_is_used_again_only_if_it_is_known_what_made_it(
    engines: list[str], version: str, made_with: list[str] | None
) -> None:
    step = VideoEncode(FolderEngine(version=version), tools)
    found = step.made_with({"task": "restyle_video", "engines": engines})
    assert (found and found[1:]) == made_with
    assert found is None or found[0].startswith("ffmpeg ")
