"""The step `video_sample`: a task for each segment, whose pictures are files, as services look at files."""

from collections.abc import Iterable
from dataclasses import dataclass

from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, TaskResult
from windmill.media.video.running import VideoTools
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.forms import SAMPLE
from windmill.pipelines.video.plan_documents import PlannedSegment, video_of
from windmill.pipelines.video.sampled_frames import sample_frames
from windmill.pipelines.video.segment_work import SegmentWork
from windmill.pipelines.video.video_task import (
    RepeatableVideoStep,
    folder_of,
    values_of,
    work_on,
)


@dataclass(frozen=True)
class VideoSample(RepeatableVideoStep):
    """Takes pictures of each segment."""

    name: str = SAMPLE.name
    version: int = SAMPLE.version

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            before = 0
            for segment in output["segments"]:
                files = {"segments": [segment["file"]]}
                known = {"video": output["video"], "segment": segment, "before": before}
                yield {"parameters": given, **known, "files": files}
                before += segment["frames"]

    async def run(self, task: RunningTask) -> TaskResult:
        return await work_on(task, self.tools, lambda tools: _sample(tools, task))


def _sample(tools: VideoTools, task: RunningTask) -> TaskResult:
    (file,) = task.files["segments"]
    given, segment = values_of(SAMPLE, parameters_of_run(task)), PlannedSegment(**task.input["segment"])
    work, folder = SegmentWork(video_of(task.input), segment, given, file), folder_of(task, "out")
    sampled = sample_frames(tools, work, task.input["before"], folder)
    files = [ProducedFile(one.file, folder / one.file, "image/jpeg") for one in sampled.frames]
    return TaskResult({"video": task.input["video"], "segment": segment.document(), **sampled.document()}, files)
