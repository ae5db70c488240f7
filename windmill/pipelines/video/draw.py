"""The step `video_draw`: a task for each segment, in whose frames the boxes are drawn while they go by."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, TaskResult
from windmill.kernels.video.frame_canvas import FrameCanvas
from windmill.kernels.video.track_paths import TrackPath
from windmill.media.video.frame_pipe import FrameShape, VideoFrame, decode_frames, encode_frames, even, read_ahead
from windmill.media.video.running import VideoTools
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.forms import DRAW
from windmill.pipelines.video.label_sprites import LabelSprites
from windmill.pipelines.video.plan_documents import PlannedSegment, PlannedVideo, video_of
from windmill.pipelines.video.segment_work import ENCODED_FILE, SegmentWork, piece_of
from windmill.pipelines.video.track import TRACKS_FILE
from windmill.pipelines.video.video_task import (
    RepeatableVideoStep,
    folder_of,
    values_of,
    work_on,
)


@dataclass(frozen=True)
class VideoDraw(RepeatableVideoStep):
    """Makes a piece of the annotated video of each segment."""

    name: str = DRAW.name
    version: int = DRAW.version

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            for segment in output["segments"]:
                files = {"segments": [segment["file"]], "tracks": [TRACKS_FILE]}
                yield {"parameters": given, "video": output["video"], "segment": segment, "files": files}

    async def run(self, task: RunningTask) -> TaskResult:
        return await work_on(task, self.tools, lambda tools: _draw(tools, task))


def _draw(tools: VideoTools, task: RunningTask) -> TaskResult:
    (file,), (tracks,) = task.files["segments"], task.files["tracks"]
    given, segment = values_of(DRAW, parameters_of_run(task)), PlannedSegment(**task.input["segment"])
    work, folder = SegmentWork(video_of(task.input), segment, given, file), folder_of(task, "out")
    shape = FrameShape(*even(work.video.width, work.video.height))
    painter = BoxPainter(_paths(tracks, work), work.video, shape)
    frames = read_ahead(decode_frames(tools, work.source, work.video.scale, shape))

    def on_frames(count: int) -> None:
        task.progress(count / segment.frames)

    target = folder / ENCODED_FILE
    times = encode_frames(tools, frames, painter.paint, shape, work.encoding, [], target, on_frames)
    return piece_of(tools, work, folder, times)


def _paths(tracks: Path, work: SegmentWork) -> list[TrackPath]:
    """Those of what is there in the segment."""
    begin, end = work.segment.first / work.video.scale, work.segment.end / work.video.scale
    found = [TrackPath.of(one) for one in json.loads(tracks.read_bytes())["tracks"]]
    return [path for path in found if path.begins < end and path.ends > begin]


class BoxPainter:
    """Draws boxes, and then names, so that no line goes through a name."""

    def __init__(self, paths: Sequence[TrackPath], video: PlannedVideo, shape: FrameShape) -> None:
        self._paths, self._scale, self._shape = paths, video.scale, shape
        self._sprites = LabelSprites(shape.height)

    def paint(self, frame: VideoFrame) -> bytearray:
        seconds = frame.time / self._scale
        there = [(path, box) for path in self._paths if (box := path.box_at(seconds))]
        canvas = FrameCanvas(frame.pixels, self._shape.width, self._shape.height)
        for path, box in there:
            canvas.outline(box, self._sprites.stroke, self._sprites.color(path.number))
        for path, (left, top, _, _) in there:
            bar = self._sprites.bar(path.number, path.name)
            canvas.paste(bar, left, top - bar.height if top >= bar.height else top)
        return frame.pixels
