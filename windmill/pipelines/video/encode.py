"""The step `video_encode`: a task for each segment. Decoding, what an engine makes, filters and encoding are one task,
as frames go from one to the next through pipes and need no room."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.engines.engine import EngineOutput, EngineRequest, EngineResult, EngineWaits
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.media.video.encoding import SegmentSource, encode_segment
from windmill.media.video.frame_pipe import FrameShape, decode_frames, encode_frames, even, read_ahead
from windmill.media.video.running import OnFrames, VideoTools
from windmill.pipelines.job_steps.engine_choice import Chosen, use_preferred
from windmill.pipelines.job_steps.engine_step import RunsEngines
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.engine_frames import EngineFrames, frames_of, picture_frames, picture_shape, with_filters
from windmill.pipelines.video.forms import ENCODE
from windmill.pipelines.video.plan_documents import PlannedSegment, video_of
from windmill.pipelines.video.quality import measure_quality
from windmill.pipelines.video.sampling import sample_clip
from windmill.pipelines.video.segment_work import ENCODED_FILE, SegmentWork, piece_of
from windmill.pipelines.video.video_task import (
    LIMITS,
    OpenTools,
    configured_tools,
    folder_of,
    progress_between,
    values_of,
    versions_of,
    work_on,
)
from windmill.storage.jobs.rows import Document

_ENGINE_SHARE, _DRAWN_SHARE = 0.7, 0.8
"""Of a task's progress: what the engine does, and of the rest what comes before quality is measured."""
Make = Callable[[VideoTools, Path], None]


@dataclass(frozen=True)
class VideoEncode:
    """Makes a piece of the new video of each segment."""

    engines: RunsEngines
    tools: OpenTools = configured_tools
    limits: StepLimits = LIMITS
    name: str = ENCODE.name
    version: int = ENCODE.version
    deterministic: bool = False
    streams: bool = False

    def made_with(self, parameters: Document) -> list[str] | None:
        """None with several engines, as it may be any of them, and with one of which nobody knows the version."""
        engines: Sequence[str] = parameters.get("engines") or ()
        versions = [self.engines.version_of(name) for name in engines]
        if len(versions) > 1 or not all(versions):
            return None
        return [*versions_of(self.tools), *(f"{engines[0]} {one} {parameters['task']}" for one in versions)]

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            for segment in output["segments"]:
                files = {"segments": [segment["file"]]}
                yield {"parameters": given, "video": output["video"], "segment": segment, "files": files}

    async def run(self, task: RunningTask) -> TaskResult:
        given = values_of(ENCODE, parameters_of_run(task))
        (file,) = task.files["segments"]
        work = SegmentWork(video_of(task.input), PlannedSegment(**task.input["segment"]), given, file)
        engines = task.parameters.get("engines")
        if not engines:
            return await work_on(task, self.tools, lambda tools: _encode(tools, task, work, EngineFrames(), None))
        sampled = await work_on(task, self.tools, lambda tools: sample_clip(tools, work, folder_of(task, "sampled")))
        chosen, output = await self._ask(task, given, sampled.clip)
        frames = frames_of(output)
        made = await work_on(task, self.tools, lambda tools: _encode(tools, task, work, frames, sampled.times))
        warnings = [*made.warnings, *_warnings(chosen, output, work)]
        return TaskResult({**made.output, "engine": chosen.engine}, made.artifacts, warnings=warnings)

    async def _ask(self, task: RunningTask, given: Mapping[str, Any], clip: Path) -> tuple[Chosen, EngineOutput]:
        asked = {name: given[name] for name in ("prompt", "style", "seed") if given.get(name) is not None}
        parameters = {"task": task.parameters["task"], **asked}

        async def use(engine: str) -> EngineResult:
            request = EngineRequest(task.name, {"input": clip}, parameters, task.scratch / engine)
            on_progress = lambda done: task.progress(done * _ENGINE_SHARE)  # noqa: E731
            made = await self.engines.run(engine, request, on_progress, task.cancelled)
            if isinstance(made, EngineWaits):
                raise WindmillError("DEPENDENCY_MISSING", f"the engine {engine} looks at pictures, and makes none")
            return made

        chosen = await use_preferred(task.parameters["engines"], use)
        assert not isinstance(chosen.output, EngineWaits)
        return chosen, chosen.output


def _warnings(chosen: Chosen, output: EngineOutput, work: SegmentWork) -> list[str]:
    """Told once, with the first segment."""
    if work.segment.number:
        return []
    warnings = [f"{chosen.engine} was used instead of {one}" for one in chosen.passed_over]
    if output.facts.get("simulated"):
        warnings.append(f"{chosen.engine}: {output.facts.get('says')}")
    return warnings


def _encode(
    tools: VideoTools, task: RunningTask, work: SegmentWork, frames: EngineFrames, seen: list[int] | None
) -> TaskResult:
    folder = folder_of(task, "out")
    measured = work.given["measure_quality"]
    begun = 0 if seen is None else _ENGINE_SHARE
    drawn = begun + (1 - begun) * (_DRAWN_SHARE if measured else 1)
    total = work.segment.frames
    times = _draw(tools, work, frames, seen, folder / ENCODED_FILE, progress_between(task, begun, drawn, total))
    if not measured:
        return piece_of(tools, work, folder, times)
    quality, warnings = measure_quality(tools, work, folder / ENCODED_FILE, progress_between(task, drawn, 1, total))
    made = piece_of(tools, work, folder, times)
    return TaskResult({**made.output, **quality}, made.artifacts, warnings=[*made.warnings, *warnings])


def _draw(
    tools: VideoTools,
    work: SegmentWork,
    frames: EngineFrames,
    seen: list[int] | None,
    target: Path,
    on_frames: OnFrames,
) -> list[int] | None:
    """Encode the segment; the times of its frames where they are known without decoding."""
    filters = with_filters(work.filters, frames.filters) if frames.filters is not None else work.filters
    rendered = filters.render(work.segment.number)
    if frames.pictures:
        most = load_settings().max_image_pixels
        shape = picture_shape(frames.pictures[0], most)
        times = [frame.time for frame in decode_frames(tools, work.source, work.video.scale, FrameShape(2, 2))]
        drawn = picture_frames(frames.pictures, times, seen or times, shape, most)
        return encode_frames(tools, drawn, lambda one: one.pixels, shape, work.encoding, rendered, target, on_frames)
    if work.given["frame_pipe"]:
        shape = FrameShape(*even(work.video.width, work.video.height))
        decoded = read_ahead(decode_frames(tools, work.source, work.video.scale, shape))
        return encode_frames(tools, decoded, lambda one: one.pixels, shape, work.encoding, rendered, target, on_frames)
    source = work.source
    if frames.clip:
        source = SegmentSource(frames.clip, "mov", source.frames, source.first)
    encode_segment(tools, source, work.encoding, rendered, target, on_frames)
    return None
