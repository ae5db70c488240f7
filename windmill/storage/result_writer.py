"""Writes rows to the `results` table in batches: `write` returns when its row is committed."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from windmill.core.errors import Code, DataRefused, WindmillError
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.timings import CommitTimings
from windmill.storage.database import Pool, rows_written, translate_errors
from windmill.storage.queries import queries
from windmill.storage.superseded_rows import SupersededRows

ACQUIRE_SECONDS = 10.0


class ResultRow(NamedTuple):
    """One row, with its fields in the order of the parameters of `save_results`."""

    image_id: int
    service: str
    data: str | None
    error_code: Code | None
    error_message: str | None
    processing_time: float | None
    worker_id: str
    attempt: int
    trace_id: str | None
    submitted_at: datetime
    image_sent: str | None = None
    image_fingerprint: int | None = None


SaveRows = Callable[[Sequence[ResultRow]], Awaitable[None]]


def row_saver(pool: Pool, settings: DatabaseSettings, superseded: SupersededRows | None = None) -> SaveRows:
    """The function that commits rows to this database, and counts those that it does not keep."""
    statement = queries()["save_results"]
    not_kept = superseded or SupersededRows()

    async def save(rows: Sequence[ResultRow]) -> None:
        columns = zip(*rows, strict=True)
        with translate_errors(settings):
            async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                done = await connection.execute(statement, *map(list, columns))
        not_kept.note(len(rows) - rows_written(done))

    return save


class ResultWriter:
    """Collects rows until the batch is full, its time is up, or every job in progress is already waiting for it."""

    def __init__(
        self,
        save: SaveRows,
        *,
        batch_rows: int,
        batch_seconds: float,
        in_progress: Callable[[], int],
        outage: Outage | None = None,
        commits: CommitTimings | None = None,
    ) -> None:
        self._save = save
        self._batch_rows = batch_rows
        self._batch_seconds = batch_seconds
        self._in_progress = in_progress
        self._waiting: list[tuple[ResultRow, asyncio.Future[None]]] = []
        self._batch: list[tuple[ResultRow, asyncio.Future[None]]] = []
        self._stopped = False
        self._has_rows = asyncio.Event()
        self._is_full = asyncio.Event()
        self._outage = outage or Outage("the database")
        self._commits = commits or CommitTimings()

    @property
    def away(self) -> bool:
        """Whether the last commit failed because the database was unavailable."""
        return self._outage.lasts

    async def write(self, row: ResultRow) -> None:
        """Return when `row` is committed; raises DataRefused if PostgreSQL rejects it."""
        if self._stopped:
            raise _not_written()
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, committed))
        self._has_rows.set()
        if len(self._waiting) >= min(self._batch_rows, self._in_progress()):
            self._is_full.set()
        await committed

    async def run(self) -> None:
        """Commit batches until cancelled. During an outage of the database rows wait, and so do their jobs."""
        try:
            while True:
                await self._has_rows.wait()
                await self._gather()
                self._batch, self._waiting = self._waiting[: self._batch_rows], self._waiting[self._batch_rows :]
                if not self._waiting:
                    self._has_rows.clear()
                await self._commit(self._batch)
        finally:
            self._stopped = True
            for _, committed in (*self._batch, *self._waiting):
                _settle(committed, _not_written())

    async def _gather(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._batch_seconds):
                await self._is_full.wait()
        self._is_full.clear()

    async def _commit(self, batch: list[tuple[ResultRow, "asyncio.Future[None]"]]) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._save([row for row, _ in batch])
            except DataRefused as error:
                self._outage.over()  # the database is up, it only rejects the data
                await self._refuse(batch, error)
                return
            except WindmillError as error:
                _end_if_cancelled()
                await asyncio.sleep(self._outage.failed(error))
                continue
            self._outage.over()
            self._commits.done(len(batch), time.monotonic() - began)
            for _, committed in batch:
                _settle(committed)
            return

    async def _refuse(self, batch: list[tuple[ResultRow, "asyncio.Future[None]"]], error: DataRefused) -> None:
        """One bad row fails its batch: write the rows one by one, so that only the bad one is rejected."""
        if len(batch) == 1:
            _settle(batch[0][1], error)
            return
        for entry in batch:
            await self._commit([entry])


def _end_if_cancelled() -> None:
    """If cancelled while the server hangs, the driver raises the timeout of its clean-up instead of CancelledError."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def _not_written() -> WindmillError:
    return WindmillError("DATABASE_UNAVAILABLE", "the worker stopped before it could commit the row")


def _settle(committed: "asyncio.Future[None]", error: Exception | None = None) -> None:
    """Wake the writer, if it still waits."""
    if committed.done():
        return
    if error:
        committed.set_exception(error)
    else:
        committed.set_result(None)
