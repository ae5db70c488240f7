"""The step `video_detect`: the pictures of each segment go to the services of the fleet, and are images like any."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.engines.engine import JsonValue, ProducedFile
from windmill.engines.outputs import bad_output
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, Suspended, TaskResult
from windmill.jobs.step_state import StepBreaker
from windmill.pipelines.job_steps.engine_step import LIMITS, EngineAnswer, RunsEngines, ask_engines
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.forms import DETECT
from windmill.pipelines.video.plan_documents import video_of
from windmill.pipelines.video.sampled_frames import SampledSegment
from windmill.pipelines.video.seen_frames import SeenFrame, seen_frames
from windmill.pipelines.video.video_task import folder_of, values_of

SEEN_FILE = "seen.json"


@dataclass(frozen=True)
class VideoDetect:
    """Has the pictures of each segment looked at as soon as they are there."""

    engines: RunsEngines
    limits: StepLimits = LIMITS
    name: str = DETECT.name
    version: int = DETECT.version
    deterministic: bool = False
    streams: bool = True

    @property
    def breaker(self) -> StepBreaker:
        """Open while an engine is away."""
        return self.engines.breaker

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = inputs.parameters["each"][0]
        for output in inputs.outputs.values():
            files = {"frames": [one.file for one in SampledSegment.of(output).frames]}
            yield {"parameters": given, **output, "files": files}

    async def run(self, task: RunningTask) -> TaskResult | Suspended:
        sampled = SampledSegment.of(task.input)
        if not sampled.frames:
            return _result(task, sampled, [])
        given, scale = values_of(DETECT, parameters_of_run(task)), video_of(task.input).scale
        names = [one.name(scale) for one in sampled.frames]
        inputs = dict(zip(names, task.files.get("frames", ()), strict=False))
        asked: Mapping[str, JsonValue] = {"task": task.parameters["task"], "answer": "merged", **given}
        answer = await ask_engines(self.engines, task, inputs, asked)
        if isinstance(answer, Suspended):
            return answer
        return _result(task, sampled, seen_frames(_answers(answer), sampled.frames), answer)


def _answers(answer: EngineAnswer) -> Mapping[str, Any]:
    """The document of the fleet."""
    try:
        document = json.loads(answer.output.files[0].path.read_bytes())
        return {"services": document["services"], "images": document["images"]}
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise bad_output(f"{answer.engine} has answered no boxes of images") from error


def _result(
    task: RunningTask, sampled: SampledSegment, seen: list[SeenFrame], answer: EngineAnswer | None = None
) -> TaskResult:
    path: Path = folder_of(task, "seen") / SEEN_FILE
    ends = {"first": list(sampled.first), "last": list(sampled.last)}
    path.write_text(json.dumps({"frames": [one.document() for one in seen], **ends}), encoding="utf-8")
    output = {"video": task.input["video"], "segment": task.input["segment"], "frames": len(seen)}
    output |= {"engine": answer.engine} if answer else {}
    return TaskResult(output, [ProducedFile(SEEN_FILE, path, "application/json")])
