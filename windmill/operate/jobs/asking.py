"""What people ask of a job: cancel, pause, resume, run again, fork, another priority. This process knows no steps, so
whatever has to be planned is planned by a worker."""

import uuid

from windmill.core.setting_parts import JobSettings
from windmill.jobs.access import JobAccess
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import find_job
from windmill.operate.jobs import remote
from windmill.operate.jobs.job_actions import JobChange
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.storage import database


@over_http(remote.ask_of_job)
async def ask_of_job(settings: JobSettings, public_id: uuid.UUID, change: JobChange) -> Shown:
    """Do it; the job as it is then, or the new one if the request made one."""
    async with database.pool(settings, "windmill jobs", max_size=1) as pool:
        access = JobAccess(pool, settings, StepCatalog([]))
        changed = await change.ask(access, await find_job(access, public_id))
        return await show_job(settings, changed.public_id)
