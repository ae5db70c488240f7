"""Images that are frames of a job: the fleet registers what a job looks at under a group of the job. Pure."""

import uuid
from dataclasses import dataclass

from windmill.kernels.video.frame_names import moment_of_frame

_JOB_GROUP = "job-"


@dataclass(frozen=True)
class FrameOfJob:
    """The job that has looked at it, and at which second of its video that is; None where it has none."""

    job_id: uuid.UUID
    seconds: float | None


def frame_of(group: str | None, name: str) -> FrameOfJob | None:
    """None for an image that somebody has registered."""
    if not group or not group.startswith(_JOB_GROUP):
        return None
    try:
        return FrameOfJob(uuid.UUID(group.removeprefix(_JOB_GROUP)), moment_of_frame(name))
    except ValueError:
        return None
