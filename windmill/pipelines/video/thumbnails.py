"""The step `video_thumbnails`, for a video that was made or one that was given. A video without them is still a video,
so what goes wrong here is a warning."""

from collections.abc import Iterable, Sequence
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
from windmill.kernels.video.thumbnail_track import COLUMNS, ON_A_SHEET, cell_of, from_keyframes, interval, render_track
from windmill.media.video.containers import Demuxer, must_be_video
from windmill.media.video.frame_pipe import FrameShape, even
from windmill.media.video.running import VideoTools
from windmill.media.video.snapshots import TICKS, poster, snapshots
from windmill.pipelines.video.forms import THUMBNAILS
from windmill.pipelines.video.plan_documents import PlannedVideo, video_of
from windmill.pipelines.video.stitch import VIDEO_FILE
from windmill.pipelines.video.video_task import LIMITS, OpenTools, configured_tools, folder_of, work_on

WIDTH, SHEET_WIDTH = 160, 320
_ON_CONTACT_SHEET, _IN_PREVIEW = 16, 24
_POSTER_AT = 1.0
_KEYFRAME_SECONDS = 2.0
_JPEG_QUALITY = 82


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
    taken = _take(tools, path, demuxer, video, _keyframe_seconds(task, video))
    task.progress(0.6)
    first = poster(tools, path, demuxer, min(_POSTER_AT, video.seconds / 2), folder / "poster.jpg")
    made = [first, _contact_sheet(taken, folder), *_sprites(taken, video, folder), _preview(taken, folder)]
    files = [ProducedFile(one.name, one, media_type_of(one.name)) for one in made]
    return TaskResult({"pictures": len(taken)}, files)


@dataclass(frozen=True)
class _Taken:
    """A picture and the second at which it is shown."""

    seconds: float
    pixels: Picture


def _keyframe_seconds(task: RunningTask, video: PlannedVideo) -> float:
    """How far apart keyframes are: as we encode, or at most so in a source, whose segments begin with one."""
    return _KEYFRAME_SECONDS if task.input.get("encoded", True) else video.longest / video.scale


def _take(
    tools: VideoTools, path: Path, demuxer: Demuxer, video: PlannedVideo, keyframe_seconds: float
) -> list[_Taken]:
    width = min(SHEET_WIDTH, video.width)
    shape = FrameShape(*even(width, max(2, round(width * video.height / video.width))), "bgr24")
    keyframes = from_keyframes(video.seconds, keyframe_seconds)
    frames = snapshots(tools, path, demuxer, shape, interval(video.seconds), keyframes=keyframes)
    found = []
    for frame in frames:
        pixels = np.frombuffer(frame.pixels, np.uint8).reshape(shape.height, shape.width, 3)[..., ::-1]
        found.append(_Taken(frame.time / TICKS, np.ascontiguousarray(pixels)))
    return found


def _some(taken: Sequence[_Taken], most: int) -> list[Picture]:
    """At most so many, evenly spread."""
    places = sorted({round(place) for place in np.linspace(0, len(taken) - 1, min(most, len(taken)))})
    return [taken[place].pixels for place in places]


def _contact_sheet(taken: Sequence[_Taken], folder: Path) -> Path:
    pictures = _some(taken, _ON_CONTACT_SHEET)
    height, width, _ = pictures[0].shape
    sheet = contact_sheet(pictures, square_layout(len(pictures), width, height, 8))
    Image.fromarray(sheet).save(folder / "contact_sheet.jpg", quality=_JPEG_QUALITY)
    return folder / "contact_sheet.jpg"


def _sprites(taken: Sequence[_Taken], video: PlannedVideo, folder: Path) -> list[Path]:
    """Sheets of a hundred, and the track that tells which part shows when."""
    height = max(1, round(WIDTH * video.height / video.width))
    names = [f"sprites_{number + 1}.jpg" for number in range((len(taken) - 1) // ON_A_SHEET + 1)]
    for number, name in enumerate(names):
        own = taken[number * ON_A_SHEET : (number + 1) * ON_A_SHEET]
        rows = (len(own) - 1) // COLUMNS + 1
        sheet = Image.new("RGB", (WIDTH * min(COLUMNS, len(own)), height * rows))
        for place, one in enumerate(own):
            cell = cell_of(place, WIDTH, height)
            sheet.paste(Image.fromarray(one.pixels).resize((WIDTH, height)), (cell.x, cell.y))
        sheet.save(folder / name, quality=_JPEG_QUALITY)
    track = folder / "thumbnails.vtt"
    track.write_text(render_track([one.seconds for one in taken], video.seconds, WIDTH, height, names), "utf-8")
    return [*(folder / name for name in names), track]


def _preview(taken: Sequence[_Taken], folder: Path) -> Path:
    first, *others = [Image.fromarray(one) for one in _some(taken, _IN_PREVIEW)]
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": 250, "loop": 0, "quality": 70}
    first.save(folder / "preview.webp", **options)
    return folder / "preview.webp"
