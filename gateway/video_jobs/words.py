"""The states of a job in the words of the video service. Pure."""

import math
from collections.abc import Mapping, Sequence

from gateway.errors import hide_paths
from gateway.video_jobs.shapes import VideoJob, VideoJobResult, VideoStatus
from windmill.operate.jobs.outlines import SHORT_DIGITS, JobOutline, short_id

WORDS: Mapping[str, VideoStatus] = {
    "queued": "pending",
    "paused": "pending",
    "running": "processing",
    "waiting": "processing",
    "cancelling": "processing",
    "deleting": "completed",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "failed",
    "expired": "failed",
}
"""One that runs without any progress yet is `claimed`."""
STATES: Mapping[str, tuple[Sequence[str], bool | None]] = {
    "pending": (("queued", "paused"), None),
    "claimed": (("running",), True),
    "processing": (("running", "waiting", "cancelling"), False),
    "completed": (("succeeded",), None),
}
"""The states that a word stands for, and whether those that run must be without progress. `failed` is a word of both
worlds, so lists of it are in ours."""


def video_job(job: JobOutline) -> VideoJob:
    """The job as those clients know it."""
    return VideoJob(
        id=short_id(job.public_id),
        video_id=job.given[:SHORT_DIGITS] if job.given else None,
        status=_status(job),
        progress=100 if job.status == "succeeded" else math.floor(100 * job.progress),
        status_message=_message(job),
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        completed_at=job.ended_at,
        result=_result(job),
        error=_error(job),
        error_code=_code(job),
        warnings=[hide_paths(one) for one in job.warnings],
        paused=job.status == "paused",
        cancel_requested=job.status == "cancelling",
    )


def _status(job: JobOutline) -> VideoStatus:
    return "claimed" if job.status == "running" and not job.progress else WORDS[job.status]


def _message(job: JobOutline) -> str:
    return hide_paths(job.message) if job.message else "Starting..." if not job.progress else f"{job.progress:.0%} done"


def _result(job: JobOutline) -> VideoJobResult | None:
    if job.status != "succeeded" or not job.made:
        return None
    url = f"/artifacts/{job.made}/content"
    return VideoJobResult(annotated_video_url=url, stats={**job.stats, "output_path": url} if job.stats else {})


def _error(job: JobOutline) -> str | None:
    if WORDS[job.status] != "failed":
        return None
    return hide_paths(job.message) if job.message else job.status


def _code(job: JobOutline) -> str | None:
    ended = {"cancelled": "CANCELLED", "expired": "EXPIRED"}
    return ended.get(job.status) or job.error_code
