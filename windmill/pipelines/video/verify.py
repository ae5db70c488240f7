"""The step `video_verify`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.pipelines.video.forms import VERIFY
from windmill.pipelines.video.plan_documents import EncodedSegment, PlannedVideo, video_of

LIMITS = StepLimits(concurrency=4)


@dataclass(frozen=True)
class VideoVerify:
    """Compares what was encoded with what was planned, before anything is joined."""

    limits: StepLimits = LIMITS
    name: str = VERIFY.name
    version: int = VERIFY.version
    deterministic: bool = True
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        outputs = [inputs.outputs[shard] for shard in sorted(inputs.outputs)]
        if outputs:
            measured = [output["quality"] for output in outputs if "quality" in output]
            quality = {"quality": measured} if measured else {}
            yield {"video": outputs[0]["video"], "done": [output["done"] for output in outputs], **quality}

    async def run(self, task: RunningTask) -> TaskResult:
        video, done = video_of(task.input), [EncodedSegment(**one) for one in task.input["done"]]
        if faults := faults_of(video, done):
            raise WindmillError("FRAMES_LOST", "; ".join(faults[:10]))
        missing = sum(one.missing for one in done)
        seconds = [(one.end - one.first) / video.scale for one in done]
        quality = {name: task.input[name] for name in ("quality",) if name in task.input}
        output: dict[str, Any] = {"video": task.input["video"], "missing": missing, "seconds": seconds, **quality}
        return TaskResult(output)


def faults_of(video: PlannedVideo, done: Sequence[EncodedSegment]) -> list[str]:
    """What is not as it was planned: segments, frames, times, and whether all are decoded alike."""
    faults = []
    if [one.number for one in done] != list(range(video.segments)):
        faults.append(f"{len(done)} of {video.segments} segments are there")
    frames = sum(one.frames + one.missing for one in done)
    if frames != video.frames:
        faults.append(f"the source has {video.frames} frames, the segments have {frames}")
    for before, after in pairwise(done):
        if before.end != after.first and not after.missing:
            faults.append(f"segment {after.number + 1} begins at {after.first}, the one before ends at {before.end}")
    if len({one.header for one in done}) > 1:
        faults.append("not all segments are encoded alike")
    return faults
