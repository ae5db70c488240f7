"""The table `runs`: the progress of a submission, so that an interrupted one resumes there."""

import logging
from dataclasses import dataclass
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, translate_errors
from windmill.storage.queries import queries
from windmill.submit.selection import Submission

logger = logging.getLogger(__name__)

ProducerLock = Literal["windmill producer", "windmill urgent producer"]


@dataclass
class RunProgress:
    """The progress of a run. `run_id` is None for unrecorded runs: dry runs, and those with --image-ids."""

    run_id: int | None
    until: int
    last: int
    images: int = 0
    jobs: int = 0


async def take_producer_lock(
    connection: Connection,
    settings: DatabaseSettings,
    lock: ProducerLock = "windmill producer",
    *,
    other: str = "another producer",
) -> None:
    """Take the lock of the producers, held until the connection closes; raises BUSY. Two producers of the same images
    would submit each twice, and a run is saved only after its jobs are published. Producers of urgent jobs have a lock
    of their own, because another one may wait for hours until the workers have caught up."""
    if not await connection.fetchval(queries()["try_to_be_the_only_producer"], lock):
        raise WindmillError(
            "BUSY",
            f"{other} is at work on database {settings.db_name}",
            "wait until it is done, or stop it: the same command continues where it stopped",
        )


class Runs:
    """Starts and resumes runs, and saves their progress."""

    def __init__(self, connection: Connection, settings: DatabaseSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._sql = queries()

    async def require_run(self, run_id: int) -> None:
        """Raise NOT_FOUND for an unknown run, which would look like a finished one."""
        if not await self._connection.fetchval(self._sql["run_exists"], run_id):
            raise WindmillError("NOT_FOUND", f"there is no run {run_id}", "see the table runs")

    async def resume_or_start(self, submission: Submission, *, record: bool) -> RunProgress:
        """Resume the unfinished run of this submission, or start one."""
        until = await self.bound()
        services = list(submission.services)
        if submission.image_ids is not None or not record:
            return RunProgress(None, until, await self.first(submission))
        key = (services, submission.selection, submission.image_group)
        row = await self._connection.fetchrow(self._sql["continue_run"], *key, until, submission.urgent)
        if row is not None:
            context = {"run_id": row["run_id"], "behind_image": row["last_image_id"]}
            logger.info("resuming the interrupted run", extra=context)
        else:
            first = await self.first(submission)
            if first >= until:
                return RunProgress(None, until, first)  # no new images; a timer must not add a row each time
            row = await self._connection.fetchrow(self._sql["start_run"], *key, first, until, submission.urgent)
        assert row is not None
        return RunProgress(row["run_id"], row["until_image_id"], row["last_image_id"], row["images"], row["jobs"])

    async def bound(self) -> int:
        """The greatest id of the images that are registered now; none below it appears later."""
        async with self._connection.transaction():
            await self._connection.execute(self._sql["wait_for_registrations"])
            return int(await self._connection.fetchval(self._sql["greatest_image_id"]))

    async def first(self, submission: Submission) -> int:
        """The id above which there may be images to submit."""
        if submission.selection != "new":
            return 0
        statement = self._sql["first_unsubmitted_image_id"]
        return int(await self._connection.fetchval(statement, list(submission.services), submission.image_group))

    async def save_progress(self, progress: RunProgress, *, finished: bool) -> bool:
        """Whether the run was cancelled meanwhile."""
        if progress.run_id is None:
            return False
        with translate_errors(self._settings):
            cancelled = await self._connection.fetchval(
                self._sql["note_run_progress"],
                *(progress.run_id, progress.last, progress.images, progress.jobs, finished),
            )
        return bool(cancelled)
