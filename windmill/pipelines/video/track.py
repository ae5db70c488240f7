"""The step `video_track`: which boxes are the same thing, who is seen when, and how many there are. One task, as
a thing may be there in many segments."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windmill.core.errors import ERROR_CODES, Code, WindmillError
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.video.track_paths import paths_of
from windmill.kernels.video.tracked_video import LookedAt, TrackedVideo
from windmill.kernels.video.tracking import FrameBoxes, TrackOptions, follow
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.video.forms import TRACK
from windmill.pipelines.video.plan_documents import PlannedVideo, video_of
from windmill.pipelines.video.sampled_frames import is_cut
from windmill.pipelines.video.seen_frames import SeenBox, SeenFrame
from windmill.pipelines.video.video_task import folder_of, values_of

LIMITS = StepLimits(timeout_seconds=86_400)
TRACKS_FILE = "tracks.json"


@dataclass(frozen=True)
class VideoTrack:
    """Tracks what was seen in all segments."""

    limits: StepLimits = LIMITS
    name: str = TRACK.name
    version: int = TRACK.version
    deterministic: bool = True
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        outputs = [inputs.outputs[shard] for shard in sorted(inputs.outputs)]
        if outputs:
            given, segments = inputs.parameters["each"][0], [output["segment"] for output in outputs]
            yield {"parameters": given, "video": outputs[0]["video"], "segments": segments}

    async def run(self, task: RunningTask) -> TaskResult:
        return await asyncio.to_thread(_track, task)


def _track(task: RunningTask) -> TaskResult:
    given, video = values_of(TRACK, parameters_of_run(task)), video_of(task.input)
    seen = list(read_seen(task.files["detections"]))
    warnings = _check_failures(seen, given["failed_share"])
    found = tracked_video(video, seen, given)
    files = _write(found, folder_of(task, "out"))
    output = {"video": task.input["video"], "segments": task.input["segments"], "stats": found.stats()}
    return TaskResult(output, files, warnings=warnings)


def read_seen(paths: Sequence[Path]) -> Iterator[SeenFrame]:
    """All frames in the order of the segments; where the scene changes between two of these, that is a cut too."""
    before: Sequence[int] = ()
    for path in paths:
        document = json.loads(path.read_bytes())
        for place, one in enumerate(document["frames"]):
            cut = one["cut"] or (not place and is_cut(before, document["first"]))
            yield SeenFrame.of({**one, "cut": cut})
        before = document["last"] or before


def _check_failures(seen: Sequence[SeenFrame], most: float) -> list[str]:
    """What went wrong with some pictures is a warning; with too many of them, the job has failed."""
    failed = [one for one in seen if one.failed]
    counts = Counter((service, code) for one in seen for service, code in one.failures.items())
    said = [f"{service} failed with {number} pictures: {code}" for (service, code), number in sorted(counts.items())]
    if not failed or len(failed) <= most * len(seen):
        return said
    codes = Counter(code for one in failed for code in one.failures.values())
    worst = codes.most_common(1)[0][0]
    code: Code = next((one for one in ERROR_CODES if one == worst), "SERVICE_ERROR")
    told = f"nobody looked at {len(failed)} of {len(seen)} pictures, more than {most:.0%}: {'; '.join(said)}"
    raise WindmillError(code, told, "see to the services, then run the job again from the step that detects", "never")


def tracked_video(video: PlannedVideo, seen: Sequence[SeenFrame], given: Mapping[str, Any]) -> TrackedVideo:
    """All that is known of the video once its boxes are tracked."""
    kept = [[box for box in one.boxes if box.score >= given["least_score"]] for one in seen]
    frames = [_boxes(video, one, boxes) for one, boxes in zip(seen, kept, strict=True)]
    tracks = follow(frames, TrackOptions(given["sure_score"], given["gap_seconds"]))
    looked = [LookedAt(one.frame, one.image_id, one.failed, one.failures) for one in seen]
    services = [[box.services for box in boxes] for boxes in kept]
    known = (video.width, video.height, video.seconds, video.frames)
    return TrackedVideo(*known, looked, frames, services, tracks, paths_of(tracks, frames, video.seconds))


def _boxes(video: PlannedVideo, seen: SeenFrame, boxes: Sequence[SeenBox]) -> FrameBoxes:
    across, down = video.width / (seen.width or video.width), video.height / (seen.height or video.height)
    return FrameBoxes(seen.time / video.scale, [box.scaled(across, down) for box in boxes], seen.cut)


def _write(found: TrackedVideo, folder: Path) -> list[ProducedFile]:
    texts = {
        "detections.jsonl": ("application/x-ndjson", "".join(f"{line}\n" for line in found.detection_lines())),
        TRACKS_FILE: ("application/json", json.dumps(found.tracks_document())),
        "timeline.json": ("application/json", json.dumps(found.timeline())),
        "boxes.vtt": ("text/vtt", found.boxes_track()),
        "stats.json": ("application/json", json.dumps(found.stats())),
    }
    made = []
    for name, (media_type, text) in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        made.append(ProducedFile(name, folder / name, media_type))
    return made
