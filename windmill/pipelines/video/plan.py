"""The step `video_plan`."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, TaskResult
from windmill.kernels.pictures.upscaling import fit_within
from windmill.kernels.video import frame_times
from windmill.kernels.video.segments import VideoSegment, cut_segments
from windmill.media.video.containers import is_still, read_head
from windmill.media.video.cutting import NORMAL_SHIFT, clip_of_still, cut, normalise
from windmill.media.video.running import VideoTools
from windmill.media.video.scanning import ScannedVideo, scan_video
from windmill.pipelines.image.picture_files import LoadedPicture, read_picture, write_picture
from windmill.pipelines.job_steps.planned_runs import parameters_of_run, plan_runs
from windmill.pipelines.video.forms import PLAN
from windmill.pipelines.video.plan_documents import PlannedSegment, PlannedVideo
from windmill.pipelines.video.video_task import (
    RepeatableVideoStep,
    folder_of,
    values_of,
    work_on,
)

STILL_SIDE = 1_920


@dataclass(frozen=True)
class VideoPlan(RepeatableVideoStep):
    """Scans the video, decides where it is cut, and cuts it."""

    name: str = PLAN.name
    version: int = PLAN.version

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult:
        return await work_on(task, self.tools, lambda tools: _plan(tools, task))


def _plan(tools: VideoTools, task: RunningTask) -> TaskResult:
    given = values_of(PLAN, parameters_of_run(task))
    (path, *_) = task.files["video"]
    still = is_still(read_head(path))
    if still:
        path = _clip(tools, path, given["still_seconds"], folder_of(task, "still"))
    video = scan_video(tools, path)
    scale = frame_times.timescale(video.stream.time_base)
    shift = 0 if video.has_times else NORMAL_SHIFT
    if shift:
        video = _with_times(tools, video, scale, folder_of(task, "normal") / "video.mp4")
        scale = frame_times.timescale(video.stream.time_base)
    task.progress(0.5)
    segments = cut_segments(video.stream, Fraction(given["segment_seconds"]) / video.stream.time_base)
    files = cut(tools, video, segments, folder_of(task, "out"))
    return _result(video, scale, segments, files, shift)


def _clip(tools: VideoTools, path: Path, seconds: float, folder: Path) -> Path:
    """A clip of a picture: upright, with even sides, and not larger than a screen."""
    pixels = read_picture(path, load_settings().max_image_pixels).pixels
    if max(pixels.shape) > STILL_SIDE:
        pixels = fit_within(pixels, STILL_SIDE, STILL_SIDE)
    height, width = (side - side % 2 for side in pixels.shape[:2])
    if not height or not width:
        raise WindmillError("VIDEO_UNREADABLE", "a picture of a single row or column makes no clip")
    still = write_picture(LoadedPicture(pixels[:height, :width]), folder / "still.png")
    return clip_of_still(tools, still, (width, height), seconds, folder / "clip.mp4")


def _with_times(tools: VideoTools, video: ScannedVideo, scale: int, target: Path) -> ScannedVideo:
    """The same with a time for each frame; its sound stays in the source."""
    made = scan_video(tools, normalise(tools, video, scale, target))
    if not made.has_times:
        raise WindmillError("VIDEO_UNREADABLE", "its frames have no times, and could be given none")
    sound = video.audio and replace(
        video.audio, first=video.audio.first + NORMAL_SHIFT, end=video.audio.end + NORMAL_SHIFT
    )
    return replace(made, audio=sound)


def _result(
    video: ScannedVideo, scale: int, segments: Sequence[VideoSegment], files: Sequence[Path], shift: int
) -> TaskResult:
    base, begin = video.stream.time_base, video.stream.first * video.stream.time_base
    origin = min(begin, video.audio.first) if video.audio else begin

    def ticks(time: int) -> int:
        return frame_times.to_ticks(time * base - origin, scale)

    times = array("q", (ticks(time) for time in video.stream.shown))
    longest = max(ticks(one.end) - ticks(one.first) for one in segments)
    planned = PlannedVideo(
        *(video.width, video.height, video.stream.frames, ticks(segments[-1].end) - times[0], scale),
        *(
            str(frame_times.frame_rate(times, scale)),
            frame_times.is_steady(times),
            str(origin - shift),
            video.stream.codec,
        ),
        *(video.audio.codec if video.audio else "", len(segments), longest),
    )
    packets = [*(one.packet for one in segments[1:]), video.stream.packets]
    parts = [
        _segment(video, number, one, last, file, ticks(one.first), ticks(one.end))
        for number, (one, last, file) in enumerate(zip(segments, packets, files, strict=True))
    ]
    output: dict[str, Any] = {"video": planned.document(), "segments": [part.document() for part in parts]}
    made = [ProducedFile(file.name, file, f"video/{file.suffix[1:]}") for file in files]
    warnings = (
        [f"a segment takes {longest / scale:.0f} s: there is no keyframe to cut at"] if _is_long(longest, scale) else []
    )
    return TaskResult(output, made, warnings=warnings)


def _is_long(longest: int, scale: int) -> bool:
    return longest > 120 * scale


def _segment(
    video: ScannedVideo, number: int, segment: VideoSegment, last: int, file: Path, first: int, end: int
) -> PlannedSegment:
    stream = video.stream
    hidden = [stream.pts[place] for place in range(segment.packet, last) if not stream.is_shown(place)]
    before = sum(time < segment.first for time in hidden)
    demuxer = "mov" if file.suffix == ".mp4" else "nut"
    return PlannedSegment(number, file.name, demuxer, segment.frames, first, end, before, bool(hidden))
