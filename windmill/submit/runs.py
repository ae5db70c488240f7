"""The table `runs`: the record of how far a submission came, so that it goes on where it was interrupted."""

import logging
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, converted
from windmill.storage.queries import queries
from windmill.submit.selection import Submission

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a run is. `run_id` is None for runs that are not recorded: dry ones, and those of named images."""

    run_id: int | None
    until: int
    last: int
    images: int = 0
    jobs: int = 0


async def be_the_only_submitter(
    connection: Connection, settings: DatabaseSettings, *, other: str = "another producer"
) -> None:
    """As long as the connection lives. Two that walk the same images would submit all of them twice, and one at work
    may have published what its run does not say yet."""
    if not await connection.fetchval(queries()["try_to_be_the_only_producer"]):
        raise WindmillError(
            "BUSY",
            f"{other} is at work on database {settings.db_name}",
            "wait until it is done, or stop it: the same command continues where it stopped",
        )


class Runs:
    """The runs of submissions: started, continued, noted."""

    def __init__(self, connection: Connection, settings: DatabaseSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._sql = queries()

    async def must_have(self, run_id: int) -> None:
        """A mistyped run would look like one that is all done."""
        if not await self._connection.fetchval(self._sql["run_exists"], run_id):
            raise WindmillError("NOT_FOUND", f"there is no run {run_id}", "see the table runs")

    async def open(self, submission: Submission, *, record: bool) -> Progress:
        """Continue the unfinished run of this submission, or start one."""
        until = await self._bound()
        services = list(submission.services)
        if submission.image_ids is not None or not record:
            return Progress(None, until, await self._first(submission))
        key = (services, submission.selection, submission.image_group)
        row = await self._connection.fetchrow(self._sql["continue_run"], *key, until)
        if row is not None:
            said = {"run_id": row["run_id"], "behind_image": row["last_image_id"]}
            logger.info("continuing the run that was interrupted", extra=said)
        else:
            first = await self._first(submission)
            if first >= until:
                return Progress(None, until, first)  # nothing was registered since; a timer leaves no trace of this
            row = await self._connection.fetchrow(self._sql["start_run"], *key, first, until)
        assert row is not None
        return Progress(row["run_id"], row["until_image_id"], row["last_image_id"], row["images"], row["jobs"])

    async def _bound(self) -> int:
        async with self._connection.transaction():
            await self._connection.execute(self._sql["wait_for_registrations"])
            return int(await self._connection.fetchval(self._sql["greatest_image_id"]))

    async def _first(self, submission: Submission) -> int:
        if submission.selection != "new":
            return 0
        statement = self._sql["first_unsubmitted_image_id"]
        return int(await self._connection.fetchval(statement, list(submission.services), submission.image_group))

    async def note(self, progress: Progress, *, finished: bool) -> None:
        if progress.run_id is None:
            return
        with converted(self._settings):
            await self._connection.execute(
                self._sql["note_run_progress"],
                *(progress.run_id, progress.last, progress.images, progress.jobs, finished),
            )
