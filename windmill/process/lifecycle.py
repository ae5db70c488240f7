"""What long-running programs share: waiting for the database, health and metrics, a progress log, stopping.

A program puts them together like this:

    async with progress_log(logger, counted), database.pool(settings, program.title) as pool, program.monitoring(...):
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
from windmill.process.health import Health, HealthCheck
from windmill.process.metrics_and_health_server import ReadSamples, serve_metrics_and_health
from windmill.process.runner import background, pause
from windmill.process.systemd import Notifier
from windmill.storage import database
from windmill.storage.migrations import check_schema

REPORT_SECONDS = 60.0

Counts = Callable[[], Mapping[str, int]]
"""The counters of a program so far, by log key."""


@dataclass(frozen=True)
class Program:
    """One long-running process: its names, its settings, its stop event and its systemd notifier."""

    name: str
    """As PostgreSQL and RabbitMQ list it, such as windmill-worker."""
    module: str
    """The label `program` of its metrics, such as workers.generic."""
    settings: Settings
    stop: asyncio.Event
    notifier: Notifier = field(default_factory=Notifier)

    @property
    def title(self) -> str:
        """The name of its connections at the servers."""
        return f"{self.name} {self.settings.worker_name()}"

    def announce(self, logger: logging.Logger, event: str, status: str, **context: str) -> None:
        """Log that the work begins, and tell systemd that the process is ready."""
        logger.info(event, extra={**context, "worker_id": self.settings.worker_name()})
        self.notifier.ready(status)

    @contextlib.asynccontextmanager
    async def monitoring(self, ready: Mapping[str, HealthCheck], samples: ReadSamples) -> AsyncIterator[None]:
        """Send systemd's watchdog signals and serve health and metrics while the block runs. `ready` are the readiness
        checks."""
        health = Health(alive={"main loop": self.notifier.stalled}, ready={"running": self._stopping, **ready})
        async with self.watched(health, samples):
            yield

    @contextlib.asynccontextmanager
    async def watched(self, health: Health, samples: ReadSamples) -> AsyncIterator[None]:
        """The same with a health of one's own."""
        async with (
            background(self.notifier.send_watchdog()),
            serve_metrics_and_health(self.settings, self.module, health, samples),
        ):
            yield

    def _stopping(self) -> str | None:
        return "is stopping" if self.stop.is_set() else None


@contextlib.asynccontextmanager
async def progress_log(
    logger: logging.Logger, counts: Counts, *, seconds: float = REPORT_SECONDS
) -> AsyncIterator[None]:
    """Log the counters once a minute if they changed, and in the end if the block ends well."""
    async with background(_log_progress(logger, counts, seconds)):
        yield
    logger.info("stopped", extra=dict(counts()))


async def _log_progress(logger: logging.Logger, counts: Counts, seconds: float) -> None:
    logged = counts()
    while True:
        await asyncio.sleep(seconds)
        if logged != (logged := counts()):
            logger.info("progress", extra=dict(logged))


async def retry_until_stopped(program: Program, outage: Outage, attempt: Callable[[], Awaitable[object]]) -> bool:
    """Retry until it succeeds (True) or the program stops (False). Errors that retries do not help are raised."""
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
    """Wait until the database is reachable, the statement finds its tables, and the program knows their schema."""
    return await retry_until_stopped(program, outage, lambda: check_schema(pool, program.settings, statement))
