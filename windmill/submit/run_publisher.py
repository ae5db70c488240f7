"""Publishing the runs that were asked for, in a program that does other things as well. Any number of processes may:
one of them publishes at a time, beside no producer, and if it ends another one goes on where it was."""

import asyncio
import logging
from typing import Any

from windmill.core.errors import WindmillError
from windmill.process.lifecycle import Program
from windmill.process.runner import background, pause
from windmill.storage import database
from windmill.storage.database import CONNECT_SECONDS, Connection, Pool, translate_errors
from windmill.storage.queries import queries
from windmill.submit.publishing import PagePublisher, ReconnectingPublisher, publish_all
from windmill.submit.runs import ProducerLock, RunProgress, Runs, take_producer_lock
from windmill.submit.selection import RegisteredImages, Submission

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
MOST_QUEUED = 1_000_000
"""It waits while a queue holds so many jobs, as producers do."""


class RunPublisher:
    """One for ordinary and one for urgent runs, which overtake the others."""

    def __init__(self, program: Program, pool: Pool, *, urgent: bool) -> None:
        self._program, self._settings, self._pool = program, program.settings, pool
        self._urgent = urgent
        self._lock: ProducerLock = "windmill urgent producer" if urgent else "windmill producer"

    async def publish_for_ever(self) -> None:
        while True:
            try:
                if await self._is_any_open():
                    await self._publish_open_runs()
            except WindmillError as error:  # a producer is at work, or a server is away
                logger.debug("runs wait", extra={"reason": str(error)})
            except Exception:  # a run that trips over a bug here must not end the program that serves others
                logger.exception("a run could not be published")
            await asyncio.sleep(LOOK_SECONDS)

    async def _publish_open_runs(self) -> None:
        settings = self._settings
        async with database.connection(settings, f"{self._program.title} runs") as connection:
            await take_producer_lock(connection, settings, self._lock)
            while not self._program.stop.is_set() and (row := await self._next(connection)) is not None:
                await self._publish(connection, row)

    async def _is_any_open(self) -> bool:
        with translate_errors(self._settings):
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                return await self._next(connection) is not None

    async def _next(self, connection: Connection) -> Any:  # noqa: ANN401 - the driver's record
        return await connection.fetchrow(queries()["next_asked_run"], self._urgent)

    async def _publish(self, connection: Connection, row: Any) -> None:  # noqa: ANN401 - the driver's record
        """From where it was to its end, unless it is cancelled or the program stops."""
        settings, ended = self._settings, asyncio.Event()
        submission = Submission(tuple(row["services"]), row["selection"], row["image_group"], urgent=row["urgent"])
        progress = RunProgress(row["run_id"], row["until_image_id"], row["last_image_id"], row["images"], row["jobs"])
        images, runs = RegisteredImages(connection, settings), Runs(connection, settings)
        publisher = PagePublisher(progress, window=settings.publish_window, urgent=submission.urgent)
        session = ReconnectingPublisher(
            settings,
            submission.services,
            program=self._program.title,
            most_queued=MOST_QUEUED,
            urgent=submission.urgent,
        )
        pages = images.pages(submission, progress.last, progress.until)
        async with background(self._end(row["run_id"], ended)):
            await publish_all(pages, lambda: runs.save_progress(progress, finished=False), publisher, session, ended)
        await runs.save_progress(progress, finished=not ended.is_set())
        told = {"run_id": progress.run_id, "images": progress.images, "jobs": progress.jobs}
        logger.info("published a run" if not ended.is_set() else "stopped publishing a run", extra=told)

    async def _end(self, run_id: int, ended: asyncio.Event) -> None:
        """Set `ended` once the run is cancelled or the program stops, also while it waits for room in a queue."""
        while not ended.is_set():
            await pause(self._program.stop, LOOK_SECONDS)
            if self._program.stop.is_set() or await self._is_cancelled(run_id):
                ended.set()

    async def _is_cancelled(self, run_id: int) -> bool:
        try:
            with translate_errors(self._settings):
                return bool(await self._pool.fetchval(queries()["is_run_cancelled"], run_id))
        except WindmillError:
            return False
