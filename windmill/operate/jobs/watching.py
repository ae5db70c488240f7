"""Follows a job to its end."""

import asyncio
import uuid
from collections.abc import Callable, Sequence

from windmill.core.errors import ERROR_CODES
from windmill.core.setting_parts import DatabaseSettings
from windmill.jobs.states import ENDED_JOBS
from windmill.operate.jobs.reading import list_events, show_job
from windmill.operate.jobs.shown import Shown
from windmill.process.runner import DONE, FAILED, pause

LOOK_SECONDS = 0.5
MOST_EVENTS = 1_000
"""At a time."""


async def watch_job(
    settings: DatabaseSettings, public_id: uuid.UUID, stop: asyncio.Event, tell: Callable[[Sequence[Shown]], None]
) -> Shown:
    """Tell what happens to the job until it has ended or `stop` is set; the job as it is then."""
    last = 0
    while True:
        job = await show_job(settings, public_id)
        events = await list_events(settings, public_id, last, MOST_EVENTS)
        if events:
            tell(events)
            last = events[-1]["seq"]
        elif job["status"] in ENDED_JOBS or stop.is_set():
            return job
        else:
            await pause(stop, LOOK_SECONDS)


def exit_code_of(job: Shown) -> int:
    """0 for a job that has succeeded or goes on, else that of its error."""
    if job["status"] == "succeeded" or job["status"] not in ENDED_JOBS:
        return DONE
    return ERROR_CODES[job["error_code"]].exit_code if job["error_code"] in ERROR_CODES else FAILED
