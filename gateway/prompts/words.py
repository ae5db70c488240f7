"""The states of a job in the words of the stylising service. Pure."""

import math
from collections.abc import Mapping
from typing import Literal

from gateway.errors import hide_paths
from gateway.prompts.shapes import PromptJob
from windmill.operate.jobs.outlines import JobOutline

Word = Literal["queued", "processing", "completed", "failed"]
WORDS: Mapping[str, Word] = {
    "queued": "queued",
    "paused": "queued",
    "running": "processing",
    "waiting": "processing",
    "cancelling": "processing",
    "deleting": "completed",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "failed",
    "expired": "failed",
}
CLAIMED = 10
"""The progress of a job that somebody works on begins here."""


def prompt_job(job: JobOutline) -> PromptJob:
    """The job as those clients know it."""
    word = WORDS[job.status]
    told = PromptJob(
        jobId=str(job.public_id),
        status=word,
        progress=_progress(word, job.progress),
        error=_error(job) if word == "failed" else None,
        createdAt=job.created_at,
        updatedAt=job.updated_at,
    )
    if word == "completed" and job.made:
        return told.model_copy(update={"resultUrl": f"/api/jobs/{job.public_id}/download"})
    return told


def _progress(word: Word, done: float) -> int:
    if word == "completed":
        return 100
    return 0 if word == "queued" and not done else CLAIMED + math.floor((100 - CLAIMED) * done)


def _error(job: JobOutline) -> str:
    return hide_paths(job.message) if job.message else job.status
