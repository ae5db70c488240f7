"""Runs the steps on a video one after the other, each with the files that a job would give it: what a job does, without
one."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.media.made_clips import tools
from windmill.engines.engine_thread import EngineThread
from windmill.engines.entries import BuiltinEntry
from windmill.engines.registry import open_engines
from windmill.jobs.step import JobView, Step, StepInputs, TaskResult
from windmill.jobs.task_run import GivenTask
from windmill.pipelines.job_steps.engine_step import RunsEngines
from windmill.pipelines.video.detect import VideoDetect
from windmill.pipelines.video.draw import VideoDraw
from windmill.pipelines.video.encode import VideoEncode
from windmill.pipelines.video.plan import VideoPlan
from windmill.pipelines.video.sample import VideoSample
from windmill.pipelines.video.stitch import VideoStitch
from windmill.pipelines.video.thumbnails import VideoThumbnails
from windmill.pipelines.video.track import VideoTrack
from windmill.pipelines.video.verify import VideoVerify
from windmill.storage.jobs.rows import TaskKey

JOB = JobView(uuid.UUID(int=1), "test", {}, {}, "")
BUILTIN = EngineThread(lambda: open_engines({"default": BuiltinEntry()}, {}))


@dataclass
class VideoRun:
    """All that is made of one video; each step's results by its name. Mutable."""

    source: Path
    scratch: Path
    engines: RunsEngines = BUILTIN
    results: dict[str, list[TaskResult]] = field(default_factory=dict)
    inputs: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    async def step(
        self, step: Step, before: str, files: Mapping[str, Sequence[Path]], given: Mapping[str, Any], **more: object
    ) -> list[TaskResult]:
        outputs = {shard: result.output for shard, result in enumerate(self.results.get(before, []))}
        parameters: dict[str, Any] = {"each": [dict(given)], **more}
        results = []
        planned = list(step.plan(JOB, StepInputs(parameters, outputs)))
        for shard, asked in enumerate(planned):
            own = {
                name: [path for path in paths if path.name in asked["files"][name]]
                if name in asked.get("files", {})
                else paths
                for name, paths in files.items()
            }
            scratch = self.scratch / step.name / str(shard)
            scratch.mkdir(parents=True)
            task = GivenTask("1-0-0", JOB, asked, parameters, own, scratch, lambda _: None, key=TaskKey(1, 0, 0))
            done = await step.run(task)
            assert isinstance(done, TaskResult)
            results.append(done)
        self.results[step.name], self.inputs[step.name] = results, planned
        return results

    def files(self, name: str) -> list[Path]:
        return [made.path for result in self.results[name] for made in result.artifacts]

    def file(self, step: str, name: str) -> Path:
        return next(path for path in self.files(step) if path.name == name)

    async def plan(self, **given: object) -> Mapping[str, Any]:
        (made,) = await self.step(VideoPlan(tools), "", {"video": [self.source]}, {"segment_seconds": 1, **given})
        return made.output

    async def encode(self, engines: Sequence[str] = (), **given: object) -> list[TaskResult]:
        asked = {"task": "restyle_video", "engines": list(engines)} if engines else {}
        given = {"x264_preset": "ultrafast", **given}
        step, files = VideoEncode(self.engines, tools), {"segments": self.files("video_plan")}
        return await self.step(step, "video_plan", files, given, **asked)

    async def annotate(self, engine: str = "fleet", **given: object) -> None:
        """From the plan to the tracks."""
        await self.step(VideoSample(tools), "video_plan", {"segments": self.files("video_plan")}, given)
        asked = {"task": "detect_objects", "engines": [engine]}
        await self.step(VideoDetect(self.engines), "video_sample", {"frames": self.files("video_sample")}, {}, **asked)
        await self.step(VideoTrack(), "video_detect", {"detections": self.files("video_detect")}, {})

    async def draw(self) -> list[TaskResult]:
        files = {"segments": self.files("video_plan"), "tracks": self.files("video_track")}
        return await self.step(VideoDraw(tools), "video_track", files, {"x264_preset": "ultrafast"})

    async def join(self, pieces: str = "video_encode") -> Path:
        await self.step(VideoVerify(), pieces, {}, {})
        files = {"pieces": sorted(self.files(pieces), key=lambda path: path.name), "video": [self.source]}
        await self.step(VideoStitch(tools), "video_verify", files, {})
        return self.file("video_stitch", "video.mp4")

    async def thumbnails(self, before: str = "video_stitch") -> list[Path]:
        files = {"video": [self.source] if before == "video_track" else sorted(self.files(before))}
        await self.step(VideoThumbnails(tools), before, files, {})
        return self.files("video_thumbnails")

    async def all(self, engines: Sequence[str] = (), **given: object) -> Path:
        await self.plan()
        await self.encode(engines, **given)
        return await self.join()
