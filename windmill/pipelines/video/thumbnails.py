"""The step `video_thumbnails`, for a video that was made or one that was given. A video without them is still a video,
so what goes wrong here is a warning."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from windmill.core.errors import WindmillError
from windmill.engines.engine import ProducedFile
from windmill.engines.outputs import media_type_of
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.pictures.contact_sheet import contact_sheet, square_layout
from windmill.kernels.pictures.picture import Picture
from windmill.kernels.video.thumbnail_track import from_keyframes, interval
from windmill.media.video.containers import Demuxer, must_be_video
from windmill.media.video.frame_pipe import FrameShape, even
from windmill.media.video.running import VideoTools
from windmill.media.video.snapshots import TICKS, poster, snapshots
from windmill.pipelines.video.forms import THUMBNAILS
from windmill.pipelines.video.plan_documents import PlannedVideo, video_of
from windmill.pipelines.video.sprite_sheets import JPEG_QUALITY, WIDTH, SpreadPictures, SpriteSheets
from windmill.pipelines.video.stitch import VIDEO_FILE
from windmill.pipelines.video.video_task import LIMITS, OpenTools, configured_tools, folder_of, work_on

SHEET_WIDTH = 320
_ON_CONTACT_SHEET, _IN_PREVIEW = 16, 24
_POSTER_AT = 1.0
_KEYFRAME_SECONDS = 2.0


@dataclass(frozen=True)
class VideoThumbnails:
    """Makes pictures along a video."""

    tools: OpenTools = configured_tools
    limits: StepLimits = LIMITS
    name: str = THUMBNAILS.name
    version: int = THUMBNAILS.version
    deterministic: bool = True
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        for output in inputs.outputs.values():
            encoded = "segments" not in output
            files = {"files": {"video": [VIDEO_FILE]}} if encoded else {}
            yield {"parameters": inputs.parameters["each"][0], "video": output["video"], "encoded": encoded, **files}

    async def run(self, task: RunningTask) -> TaskResult:
        try:
            return await work_on(task, self.tools, lambda tools: _make(tools, task))
        except WindmillError as error:
            if error.code == "CANCELLED" or error.retry == "pause":
                raise
            return TaskResult({"pictures": 0}, warnings=[f"there are no thumbnails: {error.code}: {error.message}"])


def _make(tools: VideoTools, task: RunningTask) -> TaskResult:
    video, folder = video_of(task.input), folder_of(task, "out")
    (path, *_) = task.files["video"]
    demuxer = must_be_video(path)
    sprites = SpriteSheets(max(1, round(WIDTH * video.height / video.width)), folder)
    on_sheet, in_preview = SpreadPictures(video.seconds, _ON_CONTACT_SHEET), SpreadPictures(video.seconds, _IN_PREVIEW)
    for at, pixels in _taken(tools, path, demuxer, video, _keyframe_seconds(task, video)):
        sprites.add(at, pixels)
        on_sheet.look(at, pixels)
        in_preview.look(at, pixels)
    if not sprites.times:
        raise WindmillError("VIDEO_UNREADABLE", "no frame of it can be decoded")
    task.progress(0.6)
    first = poster(tools, path, demuxer, min(_POSTER_AT, video.seconds / 2), folder / "poster.jpg")
    sheets = sprites.finish(video.seconds)
    made = [first, _contact_sheet(on_sheet.pictures, folder), *sheets, _preview(in_preview.pictures, folder)]
    files = [ProducedFile(one.name, one, media_type_of(one.name)) for one in made]
    return TaskResult({"pictures": len(sprites.times)}, files)


def _keyframe_seconds(task: RunningTask, video: PlannedVideo) -> float:
    """How far apart keyframes are: as we encode, or at most so in a source, whose segments begin with one."""
    return _KEYFRAME_SECONDS if task.input.get("encoded", True) else video.longest / video.scale


def _taken(
    tools: VideoTools, path: Path, demuxer: Demuxer, video: PlannedVideo, keyframe_seconds: float
) -> Iterator[tuple[float, Picture]]:
    """Pictures, each with the second at which it is shown. They are not all kept: of a long video there are many."""
    width = min(SHEET_WIDTH, video.width)
    shape = FrameShape(*even(width, max(2, round(width * video.height / video.width))), "bgr24")
    keyframes = from_keyframes(video.seconds, keyframe_seconds)
    for frame in snapshots(tools, path, demuxer, shape, interval(video.seconds), keyframes=keyframes):
        pixels = np.frombuffer(frame.pixels, np.uint8).reshape(shape.height, shape.width, 3)[..., ::-1]
        yield frame.time / TICKS, np.ascontiguousarray(pixels)


def _contact_sheet(pictures: Sequence[Picture], folder: Path) -> Path:
    height, width, _ = pictures[0].shape
    sheet = contact_sheet(pictures, square_layout(len(pictures), width, height, 8))
    Image.fromarray(sheet).save(folder / "contact_sheet.jpg", quality=JPEG_QUALITY)
    return folder / "contact_sheet.jpg"


def _preview(pictures: Sequence[Picture], folder: Path) -> Path:
    first, *others = map(Image.fromarray, pictures)
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": 250, "loop": 0, "quality": 70}
    first.save(folder / "preview.webp", **options)
    return folder / "preview.webp"
