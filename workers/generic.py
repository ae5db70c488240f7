"""The worker for every service: SERVICE_NAME=yolov8 python -m workers.generic

SERVICE_NAME is a service, a comma list, or a set such as `all`; one process then serves all of them.
Takes jobs from queue_<service>, calls the service, writes what it says to PostgreSQL, and only then acknowledges.
Stops on SIGTERM or Ctrl-C: what has begun is finished within SHUTDOWN_GRACE_SECONDS, the rest goes back to the queue.
Every setting is described in .env.example.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from windmill import broker, database
from windmill.calling.canary import CANARY
from windmill.calling.handler import Handler
from windmill.calling.service_state import ServiceState
from windmill.errors import ConfigInvalid, Problem, WindmillError
from windmill.health import Health
from windmill.image_check import fault_of_image
from windmill.image_source import ImageSource
from windmill.measures import Commits, MeasuredCommits
from windmill.messages import Job
from windmill.metrics import Sample, of_commits, of_reconnects, of_services
from windmill.monitoring import monitored
from windmill.outages import Outage
from windmill.queries import queries
from windmill.results import ResultWriter, saver
from windmill.runner import DONE, background, pause, run
from windmill.service_client import ServiceClient
from windmill.services import Service, load_fleet
from windmill.settings import Settings
from windmill.systemd import Notifier
from workers.lane import Lane
from workers.presence import Presence, executor
from workers.quarantine import Quarantine

logger = logging.getLogger("workers.generic")

REPORT_SECONDS = 60.0
TICK_SECONDS = 1.0


class Worker:
    """The life of one worker process: `run` reads from start to stop."""

    def __init__(
        self, settings: Settings, services: Sequence[Service], stop: asyncio.Event, notifier: Notifier | None = None
    ) -> None:
        self._settings = settings
        self._services = services
        self._stop = stop
        self._notifier = notifier or Notifier()
        self._states: list[ServiceState] = []
        self._quarantine = Quarantine()
        self._database, self._broker = Outage("the database"), Outage("the broker")
        self._commits = MeasuredCommits() if settings.metrics_port else Commits()
        self._presence: Presence | None = None

    async def run(self) -> None:
        name = f"windmill-worker {self._settings.worker_name()}"
        async with (
            database.pool(self._settings, name) as pool,
            ImageSource(self._settings) as images,
            ServiceClient(self._settings) as client,
            background(self._notifier.keep_alive()),
            monitored(self._settings, "workers.generic", self._health(), self._samples),
        ):
            self._states = [
                ServiceState(service, self._settings, lambda one: client.upload(one, CANARY))
                for service in self._services
            ]
            await self._until_database_is_ready(pool)
            writer = ResultWriter(
                saver(pool, self._settings),
                batch_rows=self._settings.batch_rows,
                batch_seconds=self._settings.batch_milliseconds / 1000,
                in_progress=lambda: sum(state.in_progress for state in self._states),
                outage=self._database,
                commits=self._commits,
            )
            most_pixels = self._settings.max_image_pixels
            handler = Handler(images.read, client, lambda image: fault_of_image(image, most_pixels))
            self._presence = Presence(self._states, self._settings, executor(pool, self._settings))
            async with background(writer.run()), background(self._report()), background(self._presence.run()):
                await self._serve(handler, writer, name)
        logger.info("stopped", extra=self._counted())

    async def _until_database_is_ready(self, pool: database.Pool) -> None:
        while not self._stop.is_set():
            self._notifier.tick()
            try:
                await database.check(pool, self._settings, queries()["tables_are_there"])
            except WindmillError as error:
                if error.retry == "never":
                    raise
                await pause(self._stop, self._database.failed(error))
            else:
                self._database.over()
                return

    async def _serve(self, handler: Handler[Job], writer: ResultWriter, name: str) -> None:
        """Hold a session with the broker; when it is lost, build all of it anew."""
        served = False
        while not self._stop.is_set():
            self._notifier.tick()
            try:
                async with self._session(handler, writer, name) as lanes:
                    self._broker.over()
                    served = True
                    self._say_consuming()
                    await self._consume(lanes)
                    self._notifier.stopping()
                    await self._drain(lanes)
            except WindmillError as error:
                # A wrong password is told at the start; later the broker may be in the middle of being set up anew.
                if error.retry == "never" and not served:
                    raise
                self._notifier.status(f"waits for the broker: {error.message}")
                await pause(self._stop, self._broker.failed(error))

    def _say_consuming(self) -> None:
        names = ",".join(service.name for service in self._services)
        logger.info("consuming", extra={"services": names, "worker_id": self._settings.worker_name()})
        self._notifier.ready(f"consumes {names}")

    @contextlib.asynccontextmanager
    async def _session(self, handler: Handler[Job], writer: ResultWriter, name: str) -> AsyncIterator[list[Lane]]:
        """Two connections, because RabbitMQ stops reading from one that publishes while it is short of memory."""
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            consuming = await stack.enter_async_context(broker.connection(settings, name))
            publishing = await stack.enter_async_context(broker.connection(settings, f"{name} publishing"))
            await broker.declare(consuming, settings, [service.name for service in self._services])
            publisher = await stack.enter_async_context(broker.publisher(publishing, settings))
            lanes = []
            for state in self._states:
                consumption = broker.consumption(consuming, settings, state.service.name)
                deliveries = await stack.enter_async_context(consumption)
                lanes.append(Lane(state, settings, deliveries, publisher, handler, writer, self._quarantine))
            yield lanes

    async def _consume(self, lanes: list[Lane]) -> None:
        """All lanes until the process is to stop; the first one that is lost ends them all."""
        runs = [asyncio.ensure_future(lane.run(self._stop)) for lane in lanes]
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            while not any(task.done() for task in (stopping, *runs)):
                self._notifier.tick()
                await asyncio.wait([stopping, *runs], timeout=TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for lane in lanes if self._stop.is_set() else []:
                lane.wake()
            await asyncio.gather(*runs)
        finally:
            for task in (stopping, *runs):
                task.cancel()
            await asyncio.gather(stopping, *runs, return_exceptions=True)

    async def _drain(self, lanes: list[Lane]) -> None:
        try:
            async with asyncio.timeout(self._settings.shutdown_grace_seconds):
                await asyncio.gather(*(lane.edge.drained() for lane in lanes))
        except TimeoutError:
            left = sum(state.in_progress for state in self._states)
            logger.warning("jobs not finished in SHUTDOWN_GRACE_SECONDS go back to the queue", extra={"jobs": left})

    async def _report(self) -> None:
        said = self._counted()
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if said != (said := self._counted()):
                logger.info("progress", extra=said)

    def _health(self) -> Health:
        return Health(
            alive={"main loop": self._notifier.late},
            ready={
                "running": lambda: "stops" if self._stop.is_set() else None,
                "broker": lambda: self._broker.trouble,
                "database": self._database_trouble,
            },
        )

    def _database_trouble(self) -> str | None:
        """While it has no rows to write, a worker sees by its heartbeats that the database is away."""
        silent = self._presence and self._presence.silent
        return self._database.trouble or ("takes no heartbeat" if silent else None)

    async def _samples(self) -> list[Sample]:
        reconnects = {"broker": self._broker.ended, "database": self._database.ended}
        return [*of_services(self._states), *of_commits(self._commits), *of_reconnects(reconnects)]

    def _counted(self) -> dict[str, int]:
        counts = sum((state.counts for state in self._states), Counter[str]())
        return {name.lower(): counts[name] for name in ("Stored", "Failed", "RetryLater", "Unavailable", "Unreadable")}


async def main(settings: Settings, stop: asyncio.Event) -> int:
    if not settings.service_name:
        raise ConfigInvalid([Problem("SERVICE_NAME", "", "must name a service, a comma list or a set such as all")])
    services = load_fleet(settings.service_config).select(settings.service_name)
    await Worker(settings, services, stop).run()
    return DONE


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m workers.generic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    sys.exit(run(main))
