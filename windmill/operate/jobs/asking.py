"""What people ask of a job: cancel, pause, resume, run again, fork, another priority. This process knows no steps, so
whatever has to be planned is planned by a worker."""

import uuid

from windmill.core.setting_parts import JobSettings
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import find_job
from windmill.operate.jobs.job_actions import Request
from windmill.operate.jobs.reading import Shown, show_job
from windmill.storage import database


async def ask_of_job(settings: JobSettings, public_id: uuid.UUID, request: Request[Change]) -> Shown:
    """Do it; the job as it is then, or the new one if the request made one."""
    async with database.pool(settings, "windmill jobs", max_size=1) as pool:
        access = JobAccess(pool, settings, StepCatalog([]))
        change = await request(access, await find_job(access, public_id))
        return await show_job(settings, change.public_id)
