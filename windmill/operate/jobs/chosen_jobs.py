"""One action on the jobs that a command names or chooses, here or over HTTP."""

import asyncio

from windmill.core.setting_parts import JobSettings
from windmill.jobs.access import JobAccess
from windmill.jobs.step import StepCatalog
from windmill.operate.jobs import remote_many
from windmill.operate.jobs.job_actions import JobAction
from windmill.operate.jobs.many_jobs import ChosenJobs, ManyJobs, change_matching, change_named, preview_many
from windmill.operate.over_http import over_http
from windmill.operate.progress import OnProgress
from windmill.storage import database


@over_http(remote_many.change_chosen)
async def change_chosen(
    settings: JobSettings, action: JobAction, chosen: ChosenJobs, stop: asyncio.Event, on_progress: OnProgress
) -> ManyJobs:
    """Ask it of the jobs, or count them."""
    async with database.pool(settings, "windmill jobs", max_size=action.at_once) as pool:
        access = JobAccess(pool, settings, StepCatalog([]))
        if chosen.ids:
            return await change_named(access, action, chosen.ids, stop, on_progress=on_progress)
        if chosen.preview:
            return await preview_many(access, action, chosen.matching, expect=chosen.expect)
        return await change_matching(
            access, action, chosen.matching, stop, expect=chosen.expect, on_progress=on_progress
        )
