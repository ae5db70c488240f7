"""What people ask of a job: cancel, pause, resume, run again, fork, another priority. This process knows no steps, so
whatever has to be planned is planned by a worker."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windmill.core.setting_parts import JobSettings
from windmill.jobs.access import Change, JobAccess
from windmill.jobs.step import StepCatalog
from windmill.jobs.submitting import find_job
from windmill.operate.jobs import remote
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.storage import database

Request = Callable[[JobAccess, int], Awaitable[Change]]


@dataclass(frozen=True)
class JobAsk:
    """How it is done here, and what is sent to a gateway instead: POST /jobs/{id}/ACTION with this body."""

    action: str
    request: Request
    body: Mapping[str, Any] | None = None


@over_http(remote.ask_of_job)
async def ask_of_job(settings: JobSettings, public_id: uuid.UUID, asked: JobAsk) -> Shown:
    """Do it; the job as it is then, or the new one if the request made one."""
    async with database.pool(settings, "windmill jobs", max_size=1) as pool:
        access = JobAccess(pool, settings, StepCatalog([]))
        change = await asked.request(access, await find_job(access, public_id))
        return await show_job(settings, change.public_id)
