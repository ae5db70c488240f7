"""How near the result is to its source, where a job asks for it. A video that was not measured is still a video, so
what goes wrong here is a warning."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.engines.engine import ProducedFile
from windmill.kernels.video.quality import SegmentQuality, quality_report, segment_quality
from windmill.media.video.comparing import LEAST_SIDE, compare_frames
from windmill.media.video.frame_pipe import FrameShape, even
from windmill.media.video.running import OnFrames, VideoTools
from windmill.pipelines.video.plan_documents import PlannedVideo
from windmill.pipelines.video.segment_work import SegmentWork

QUALITY_FILE = "quality.json"


def measure_quality(
    tools: VideoTools, work: SegmentWork, encoded: Path, on_frames: OnFrames
) -> tuple[dict[str, Any], list[str]]:
    """What the output of the segment's task has more by it, and warnings."""
    number, shape = work.segment.number, FrameShape(*even(work.video.width, work.video.height))
    unmeasured = f"the quality of segment {number + 1} was not measured"
    if min(shape.width, shape.height) < LEAST_SIDE:
        return {}, [f"{unmeasured}: its frames are {shape.width} x {shape.height}, too small to compare"]
    try:
        found = compare_frames(tools, work.source, encoded, shape, on_frames)
    except WindmillError as error:
        if error.code == "CANCELLED":
            raise
        return {}, [f"{unmeasured}: {error.code}: {error.message}"]
    measured = segment_quality(number, found.ssim, found.changes, found.source_changes)
    if measured is None:
        return {}, [f"{unmeasured}: no frame of it could be compared"]
    return {"quality": measured.document()}, []


def write_quality(video: PlannedVideo, measured: Sequence[Mapping[str, Any]], folder: Path) -> ProducedFile:
    """The report of the whole video."""
    report = quality_report([SegmentQuality(**one) for one in measured], video.segments)
    path = folder / QUALITY_FILE
    path.write_text(json.dumps(report), encoding="utf-8")
    return ProducedFile(QUALITY_FILE, path, "application/json")
