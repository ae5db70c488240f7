"""The step `video_stitch`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, TaskResult
from windmill.kernels.video.playlist import PLAYLIST_TYPE, PlayablePiece, render_playlist
from windmill.media.video.containers import must_be_video
from windmill.media.video.joining import SoundSource, join
from windmill.media.video.running import VideoTools
from windmill.media.video.scanning import count_frames
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.forms import STITCH
from windmill.pipelines.video.plan_documents import PlannedVideo, video_of
from windmill.pipelines.video.quality import write_quality
from windmill.pipelines.video.segment_work import HEADER
from windmill.pipelines.video.video_task import (
    RepeatableVideoStep,
    folder_of,
    values_of,
    work_on,
)

VIDEO_FILE, PLAYLIST_FILE = "video.mp4", "playlist.m3u8"


@dataclass(frozen=True)
class VideoStitch(RepeatableVideoStep):
    """Makes one MP4 of the pieces and the sound of the source, the playlist of the pieces, and the report of quality
    where that was measured."""

    name: str = STITCH.name
    version: int = STITCH.version

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            yield {"parameters": given, **output}

    async def run(self, task: RunningTask) -> TaskResult:
        values_of(STITCH, parameters_of_run(task))
        return await work_on(task, self.tools, lambda tools: _stitch(tools, task))


def _stitch(tools: VideoTools, task: RunningTask) -> TaskResult:
    video, folder = video_of(task.input), folder_of(task, "out")
    pieces = [path for path in task.files["pieces"] if path.suffix == ".m4s"]
    (header,) = [path for path in task.files["pieces"] if path.suffix == ".mp4"]
    target = join(tools, header, pieces, video.scale, _sound(video, task.files["video"]), folder / VIDEO_FILE)
    frames = count_frames(tools, target, "mov")
    if frames != video.frames - task.input["missing"]:
        raise WindmillError("FRAMES_LOST", f"the source has {video.frames} frames, the joined video {frames}")
    seconds = [Fraction(one).limit_denominator(video.scale) for one in task.input["seconds"]]
    playlist = folder / PLAYLIST_FILE
    playlist.write_text(playlist_of(video, seconds, whole=True), encoding="utf-8")
    made = [ProducedFile(VIDEO_FILE, target, "video/mp4"), ProducedFile(PLAYLIST_FILE, playlist, PLAYLIST_TYPE)]
    if measured := task.input.get("quality"):
        made.append(write_quality(video, measured, folder))
    return TaskResult({"video": task.input["video"], "frames": frames, "seconds": video.seconds}, made)


def playlist_of(video: PlannedVideo, seconds: Sequence[Fraction], *, whole: bool) -> str:
    """The playlist of the first pieces, by the names that they have as artifacts."""
    pieces = [PlayablePiece(number, f"piece_{number:05d}.m4s", one) for number, one in enumerate(seconds)]
    return render_playlist(pieces, HEADER, Fraction(video.longest, video.scale), whole=whole)


def _sound(video: PlannedVideo, sources: Sequence[Path]) -> SoundSource | None:
    if not video.audio:
        return None
    (source, *_) = sources
    return SoundSource(source, must_be_video(source), video.audio, Fraction(video.origin))
