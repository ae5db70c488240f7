"""Rows for the results table, gathered into batches: a writer returns when its row is committed."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from windmill.core.errors import Code, DataRefused, WindmillError
from windmill.core.measures import Commits
from windmill.core.outages import Outage
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Pool, converted
from windmill.storage.queries import queries

ACQUIRE_SECONDS = 10.0


class ResultRow(NamedTuple):
    """One row, its fields in the order in which `save_results` takes its arrays."""

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


SaveRows = Callable[[Sequence[ResultRow]], Awaitable[None]]


def saver(pool: Pool, settings: DatabaseSettings) -> SaveRows:
    """The function that commits rows to this database."""
    statement = queries()["save_results"]

    async def save(rows: Sequence[ResultRow]) -> None:
        columns = zip(*rows, strict=True)
        with converted(settings):
            async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                await connection.execute(statement, *map(list, columns))

    return save


class ResultWriter:
    """Gathers rows until the batch is full, its time is up, or everyone who could add a row waits already."""

    def __init__(
        self,
        save: SaveRows,
        *,
        batch_rows: int,
        batch_seconds: float,
        in_progress: Callable[[], int],
        outage: Outage | None = None,
        commits: Commits | None = None,
    ) -> None:
        self._save = save
        self._batch_rows = batch_rows
        self._batch_seconds = batch_seconds
        self._in_progress = in_progress
        self._waiting: list[tuple[ResultRow, asyncio.Future[None]]] = []
        self._batch: list[tuple[ResultRow, asyncio.Future[None]]] = []
        self._stopped = False
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._outage = outage or Outage("the database")
        self._commits = commits or Commits()

    @property
    def away(self) -> bool:
        """Whether the last try to commit found no database."""
        return self._outage.lasts

    async def write(self, row: ResultRow) -> None:
        """Return when `row` is committed; raises DataRefused when PostgreSQL does not take it."""
        if self._stopped:
            raise _not_written()
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, committed))
        self._some.set()
        if len(self._waiting) >= min(self._batch_rows, self._in_progress()):
            self._enough.set()
        await committed

    async def run(self) -> None:
        """Commit batches until cancelled. While the database is away rows wait, and with them their jobs."""
        try:
            while True:
                await self._some.wait()
                await self._gather()
                self._batch, self._waiting = self._waiting[: self._batch_rows], self._waiting[self._batch_rows :]
                if not self._waiting:
                    self._some.clear()
                await self._commit(self._batch)
        finally:
            self._stopped = True
            for _, committed in (*self._batch, *self._waiting):
                _settle(committed, _not_written())

    async def _gather(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._batch_seconds):
                await self._enough.wait()
        self._enough.clear()

    async def _commit(self, batch: list[tuple[ResultRow, "asyncio.Future[None]"]]) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._save([row for row, _ in batch])
            except DataRefused as error:
                self._outage.over()  # it is there, and merely says no
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
        """One bad row spoils its batch: write the others one by one, so that only the bad one is refused."""
        if len(batch) == 1:
            _settle(batch[0][1], error)
            return
        for entry in batch:
            await self._commit([entry])


def _end_if_cancelled() -> None:
    """The driver, when it is cancelled while the server hangs, raises the timeout of its clean-up instead."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def _not_written() -> WindmillError:
    return WindmillError("DATABASE_UNAVAILABLE", "the worker stops before the row could be committed")


def _settle(committed: "asyncio.Future[None]", error: Exception | None = None) -> None:
    """Wake the one who waits, if it still does."""
    if committed.done():
        return
    if error:
        committed.set_exception(error)
    else:
        committed.set_result(None)
