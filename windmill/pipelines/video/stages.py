"""The stages in which a video is made, as people see them who know nothing of steps: names, per cent, log lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from windmill.pipelines.video import forms


@dataclass(frozen=True)
class VideoStage:
    """A stage, and from which per cent of the whole to which it goes."""

    name: str
    begins: int
    ends: int


CLAIMED_PERCENT = 10
"""Of a job that somebody has begun to work on."""
STAGES: Mapping[str, VideoStage] = {
    forms.PLAN.name: VideoStage("preprocess", 10, 15),
    forms.ENCODE.name: VideoStage("inference", 15, 65),
    forms.VERIFY.name: VideoStage("postprocess", 65, 75),
    forms.STITCH.name: VideoStage("stitch", 75, 85),
    forms.THUMBNAILS.name: VideoStage("thumbnail", 85, 95),
}


def percent(step: str, share: float) -> int:
    """Of the whole, when so much of a step is done."""
    stage = STAGES[step]
    return round(stage.begins + (stage.ends - stage.begins) * min(max(share, 0.0), 1.0))


def log_line(at: datetime, step: str, text: str) -> str:
    """A line of the log: [time] [stage] text."""
    return f"[{at.isoformat()}] [{STAGES[step].name}] {text}"
