"""Deleting jobs that ended long ago, and one that somebody wants gone."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from windmill.core.setting_parts import JobSettings
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.deleting import DeleteFiles, delete_job
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import find_job
from windmill.operate.jobs import remote
from windmill.operate.jobs.shown import Removed
from windmill.operate.over_http import over_http
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.sweep import LEFT_OVER, delete_old
from windmill.storage.queries import queries

PAGE = 100
NAME = "windmill jobs"


@over_http(remote.remove_jobs)
async def remove_jobs(settings: Settings, public_id: uuid.UUID | None, older_than: timedelta | None) -> Removed:
    """Delete one job, or all that ended so long ago, with those of their files that nobody else has or may be storing
    just now."""
    removed = Removed()
    store = open_artifact_store(settings)

    async def delete_files(keys: Sequence[str]) -> None:
        removed.files += await delete_old(store, keys, datetime.now(UTC) - LEFT_OVER)

    if public_id:
        await remove_job(settings, public_id, delete_files)
        removed.jobs = 1
    elif older_than:
        removed.jobs = await remove_ended_jobs(settings, older_than, delete_files)
    return removed


async def remove_job(settings: JobSettings, public_id: uuid.UUID, delete_files: DeleteFiles) -> None:
    """Delete a job with all that it made; raises CONFLICT if it has not ended, and NOT_FOUND."""
    async with database.pool(settings, NAME, max_size=1) as pool:
        access = JobAccess(pool, settings, StepCatalog([]))
        await delete_job(access, await find_job(access, public_id), delete_files)


async def remove_ended_jobs(settings: JobSettings, older_than: timedelta, delete_files: DeleteFiles) -> int:
    """Delete the jobs that ended so long ago, and those whose deletion was interrupted; how many."""
    removed = 0
    async with database.pool(settings, NAME, max_size=1) as pool:
        access = JobAccess(pool, settings, StepCatalog([]))
        while found := await _to_delete(access, older_than):
            for job_id in found:
                await delete_job(access, job_id, delete_files)
            removed += len(found)
    return removed


async def _to_delete(access: JobAccess, older_than: timedelta) -> list[int]:
    with database.translate_errors(access.settings):
        async with access.pool.acquire(timeout=database.CONNECT_SECONDS) as connection:
            rows = await connection.fetch(queries()["list_jobs_to_delete"], older_than.total_seconds(), PAGE)
    return [row["job_id"] for row in rows]
