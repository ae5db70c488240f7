"""The worker for every service: SERVICE_NAME=yolov8 python -m workers.generic

SERVICE_NAME is a service, several separated by commas, or a set such as `all`; one process serves all of them.
It consumes jobs from queue_<service>_urgent and queue_<service>, urgent ones first, calls the service, writes the
reply to PostgreSQL, and only then acknowledges.
On SIGTERM or Ctrl-C it finishes jobs in progress within SHUTDOWN_GRACE_SECONDS and returns the rest to the queue.
.env.example describes every setting.
"""

import argparse
import logging
import sys
from asyncio import Event
from collections.abc import Sequence
from contextlib import AsyncExitStack

from windmill.calling.canary_watch import SETTLE_SECONDS
from windmill.calling.job_handler import JobHandler
from windmill.calling.service_client import ServiceClient
from windmill.calling.service_setup import new_service_state
from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.service_access import load_access, secrets_of
from windmill.core.services import Service, load_fleet
from windmill.core.settings import Settings
from windmill.core.timings import CommitTimings, RecordedCommitTimings
from windmill.edge.blind_answers import ask_again_for_ever
from windmill.edge.broker_session import OpenConsumer, consume
from windmill.edge.quarantine import Quarantine
from windmill.edge.service_consumer import ServiceConsumer
from windmill.edge.session_losses import SessionLosses
from windmill.jobs.fleet_reaper import FleetReaper
from windmill.media.image.decoder import ImageDecoder
from windmill.media.image.fitting import ImageFitter
from windmill.media.image.source import ImageSource
from windmill.process import logs
from windmill.process.heartbeat import Heartbeat, statement_executor
from windmill.process.lifecycle import Program, progress_log, wait_for_database
from windmill.process.parts import Part, run_alone
from windmill.process.runner import background, run
from windmill.process.wanted_watch import WantedWatch
from windmill.storage import database
from windmill.storage.canaries import CanaryNotes
from windmill.storage.fleet_slots import FleetSlotTable
from windmill.storage.queries import queries
from windmill.storage.result_writer import ResultWriter, row_saver
from workers.worker_status import WorkerStatus, counts_of

logger = logging.getLogger("workers.generic")


async def work(program: Program, services: Sequence[Service]) -> None:
    """Run the worker until it stops."""
    settings = program.settings
    access = load_access(services)
    logs.hide(settings, secrets_of(access))
    images, decoder, client = ImageSource(settings), ImageDecoder(settings), ServiceClient(settings, access)
    hang = settings.transaction_hang_seconds
    async with (
        database.pool(settings, program.title, hang_seconds=hang, keeps_plans=True) as pool,
        AsyncExitStack() as stack,
    ):
        slot_table = FleetSlotTable(pool, settings)
        notes = CanaryNotes(pool, settings, settle_seconds=SETTLE_SECONDS)
        new_states = [new_service_state(service, settings, client, slot_table, notes) for service in services]
        states = [await stack.enter_async_context(state) for state in new_states]
        await stack.enter_async_context(progress_log(logger, lambda: counts_of(states)))
        for part in (images, decoder, client):
            await stack.enter_async_context(part)
        heartbeat = Heartbeat(states, settings, statement_executor(pool, settings))
        commits = RecordedCommitTimings() if settings.metrics_port else CommitTimings()
        status = WorkerStatus(states, heartbeat, commits, FleetReaper(program, pool))
        writer = _result_writer(pool, settings, status)
        open_consumer = _open_consumers(settings, images, decoder, client, writer)
        async with program.monitoring(status.ready(), status.samples):
            if not await wait_for_database(program, pool, status.database, queries()["tables_are_there"]):
                return
            wanted = WantedWatch(pool, settings, states)
            if not await wanted.begin(program, status.database):
                return
            watched = [service.name for service in services if service.canary]
            asking_again = ask_again_for_ever(pool, settings, watched, program.title)
            reaper = status.reaper
            async with (
                background(writer.run()),
                background(heartbeat.run()),
                background(asking_again),
                background(reaper.reap_for_ever()),
                background(reaper.top_up_for_ever()),
                background(wanted.watch_for_ever()),
            ):
                await consume(program, states, open_consumer, status.broker, lambda: _announce(program, services))


def _result_writer(pool: database.Pool, settings: Settings, status: WorkerStatus) -> ResultWriter:
    return ResultWriter(
        row_saver(pool, settings, status.superseded),
        batch_rows=settings.batch_rows,
        batch_seconds=settings.batch_milliseconds / 1000,
        in_progress=status.in_progress,
        outage=status.database,
        commits=status.commits,
    )


def _open_consumers(
    settings: Settings, images: ImageSource, decoder: ImageDecoder, client: ServiceClient, writer: ResultWriter
) -> OpenConsumer:
    """Consumers of all services and sessions share one quarantine, and the memory of lost sessions."""
    handler = JobHandler(
        images.read, client, decoder.fault_of, ImageFitter(decoder, shrinks=settings.shrink_images).fit
    )
    quarantine, losses = Quarantine(), SessionLosses()
    return lambda state, consumptions, publisher: ServiceConsumer(
        state, settings, consumptions, publisher, handler, writer, quarantine, losses
    )


def _announce(program: Program, services: Sequence[Service]) -> None:
    names = ",".join(service.name for service in services)
    program.announce(logger, "consuming", f"consumes {names}", services=names)


def part(settings: Settings, names: Sequence[str]) -> Part:
    """The worker for these services and sets."""
    services = load_fleet(settings.service_config).select(names)
    return Part("services", "windmill-worker", "workers.generic", lambda program: work(program, services))


async def main(settings: Settings, stop: Event) -> int:
    if not settings.service_name:
        raise ConfigInvalid([Problem("SERVICE_NAME", "", "must name a service, a comma list or a set such as all")])
    return await run_alone(part(settings, settings.service_name), settings, stop)


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m workers.generic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    sys.exit(run(main))
