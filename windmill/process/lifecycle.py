"""What every long-running program does, as pieces that it puts together: wait patiently for its database, show how it
does, report what it did, and stop when it is told to.

A program is read from top to bottom:

    async with reporting(logger, counted), database.pool(settings, program.title) as pool, program.observed(...):
        if await wait_for_database(program, pool, outage, statement):
            program.announce(logger, "consuming", ...)
            ... until program.stop is set ...
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.settings import Settings
from windmill.process.health import Health, Ping
from windmill.process.monitoring import Samples, monitored
from windmill.process.runner import background, pause
from windmill.process.systemd import Notifier
from windmill.storage import database

REPORT_SECONDS = 60.0

Counts = Callable[[], Mapping[str, int]]
"""What a program did so far, by name."""


@dataclass(frozen=True)
class Program:
    """One long-running process: what it is called, how it is told to stop, and who hears how it does."""

    name: str
    """Among the processes of the servers that it uses, such as windmill-worker."""
    module: str
    """Among metrics, such as workers.generic."""
    settings: Settings
    stop: asyncio.Event
    notifier: Notifier = field(default_factory=Notifier)

    @property
    def title(self) -> str:
        """As servers list its connections."""
        return f"{self.name} {self.settings.worker_name()}"

    def announce(self, logger: logging.Logger, event: str, status: str, **what: str) -> None:
        """Say that the work begins, to the log and to systemd."""
        logger.info(event, extra={**what, "worker_id": self.settings.worker_name()})
        self.notifier.ready(status)

    @contextlib.asynccontextmanager
    async def observed(self, ready: Mapping[str, Ping], samples: Samples) -> AsyncIterator[None]:
        """Give signs of life, and answer on health and metrics, while the block runs. `ready` says what the program
        waits for, if anything."""
        health = Health(alive={"main loop": self.notifier.late}, ready={"running": self._stops, **ready})
        async with (
            background(self.notifier.keep_alive()),
            monitored(self.settings, self.module, health, samples),
        ):
            yield

    def _stops(self) -> str | None:
        return "stops" if self.stop.is_set() else None


@contextlib.asynccontextmanager
async def reporting(logger: logging.Logger, counts: Counts, *, seconds: float = REPORT_SECONDS) -> AsyncIterator[None]:
    """Tell once a minute what was done, if anything was, and all of it once the block has ended well."""
    async with background(_progress(logger, counts, seconds)):
        yield
    logger.info("stopped", extra=dict(counts()))


async def _progress(logger: logging.Logger, counts: Counts, seconds: float) -> None:
    said = counts()
    while True:
        await asyncio.sleep(seconds)
        if said != (said := counts()):
            logger.info("progress", extra=dict(said))


async def patiently(program: Program, outage: Outage, attempt: Callable[[], Awaitable[object]]) -> bool:
    """Try until it works (True) or the program is to stop (False). What no patience mends is raised."""
    while not program.stop.is_set():
        program.notifier.tick()
        try:
            await attempt()
        except WindmillError as error:
            if error.retry == "never":
                raise
            await pause(program.stop, outage.failed(error))
        else:
            outage.over()
            return True
    return False


async def wait_for_database(program: Program, pool: database.Pool, outage: Outage, statement: str) -> bool:
    """Wait until the statement, which looks for the tables of the program, finds them."""
    return await patiently(program, outage, lambda: database.check(pool, program.settings, statement))
