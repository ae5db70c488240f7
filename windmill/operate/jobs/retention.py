"""Deleting jobs that have ended."""

from collections.abc import Sequence
from datetime import UTC, datetime

from windmill.jobs.deleting import DeleteFiles, delete_job
from windmill.jobs.states import ENDED_JOBS
from windmill.operate.jobs.job_actions import JobAction
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.artifacts.sweep import LEFT_OVER, delete_old


class DeletedFiles:
    """Deletes files that no other job has, but for those that somebody may be storing just now; counts them."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self.number = 0

    async def delete(self, keys: Sequence[str]) -> None:
        self.number += await delete_old(self._store, keys, datetime.now(UTC) - LEFT_OVER)


def removing(delete_files: DeleteFiles) -> JobAction:
    """Deletes a job with all that it made. One after the other: of two that share a file, the last takes it along."""
    return JobAction(
        "remove", ENDED_JOBS, lambda access, job: delete_job(access, job, delete_files), {"action": "delete"}, at_once=1
    )
