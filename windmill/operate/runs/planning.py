"""What a run would be, without one being made."""

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import CONNECT_SECONDS, Pool, translate_errors
from windmill.submit.runs import Runs
from windmill.submit.selection import RegisteredImages, Submission

MOST_IMAGES = 10_000


async def plan_run(pool: Pool, settings: DatabaseSettings, submission: Submission) -> int:
    """How many images would be looked at, counted up to MOST_IMAGES; raises NOT_FOUND for an unknown group."""
    with translate_errors(settings):
        async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
            images, runs = RegisteredImages(connection, settings), Runs(connection, settings)
            if submission.image_group:
                await images.require_group(submission.image_group)
            first, until = await runs.first(submission), await runs.bound()
            return len(await images.next_ids(first, until, submission.image_group, MOST_IMAGES))
