"""The worker for steps of jobs: STEPS=all python -m workers.jobs

STEPS names steps, separated by commas, or is `all`; one process runs all of them, each with its own concurrency.
It claims tasks in PostgreSQL when a message in queue_<step> says that there are some, keeps its leases on them while
they run, and writes what became of them together with what follows.
On SIGTERM or Ctrl-C it finishes tasks in progress within SHUTDOWN_GRACE_SECONDS and returns the rest to the queue; a
second signal stops at once.
.env.example describes every setting.
"""

import argparse
import asyncio
import logging
import sys
from asyncio import Event
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.core.outages import Outage
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.scratch_folders import scratch_of_process
from windmill.jobs.step import Step, StepCatalog
from windmill.jobs.step_worker import StepWorker
from windmill.jobs.task_files import StoredTaskFiles
from windmill.jobs.worker_status import StepWorkerStatus
from windmill.jobs.worker_words import ended_words, servers_of, tries_of
from windmill.pipelines.job_steps.catalog import ENGINES, STEPS
from windmill.process.engine_metrics import engine_samples
from windmill.process.heartbeat import Heartbeat, statement_executor
from windmill.process.lifecycle import Program, progress_log, wait_for_database
from windmill.process.metric import Sample
from windmill.process.parts import Part, run_alone
from windmill.process.runner import background, run
from windmill.process.wanted_watch import WantedWatch
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.queries import queries

logger = logging.getLogger("workers.jobs")

FurtherSamples = Callable[[], Iterable[Sample]]


def select_steps(catalog: StepCatalog, settings: Settings, wanted: Sequence[str]) -> list[Step]:
    """The steps of these names, or all of them if the only name is `all`."""
    known = {step.name: step for step in catalog}
    names = list(known) if list(wanted) == ["all"] else list(wanted)
    taken = [name for name in known if name in load_fleet(settings.service_config).services]
    if taken:
        raise WindmillError("CONFLICT", f"{taken[0]} is the name of a step and of a service; they would share a queue")
    if not names or not set(names) <= set(known):
        allowed = f"must be all, or name some of: {', '.join(known)}"
        raise ConfigInvalid([Problem("STEPS", ",".join(wanted), allowed)])
    return [known[name] for name in names]


async def work(program: Program, catalog: StepCatalog, steps: Sequence[Step], further: FurtherSamples) -> None:
    """Run the worker until it stops. `further` are metrics of what its steps use."""
    settings = program.settings
    outage = Outage("the database")
    hang = settings.transaction_hang_seconds
    async with database.pool(settings, program.title, max_size=8, hang_seconds=hang) as pool:
        if not await wait_for_database(program, pool, outage, queries()["job_tables_are_there"]):
            return
        with scratch_of_process() as scratch:
            access = JobAccess(pool, settings, catalog)
            files = StoredTaskFiles(access, open_artifact_store(settings))
            worker = StepWorker(program, access, steps, scratch, files)
            heartbeat = Heartbeat(worker.states, settings, statement_executor(pool, settings))
            status = StepWorkerStatus(worker, heartbeat, settings, pool, further)
            wanted = WantedWatch(pool, settings, worker.states)
            if not await wanted.begin(program, outage):
                return
            async with (
                progress_log(logger, status.counts),
                program.monitoring(status.ready(), status.samples),
                background(heartbeat.run()),
                background(wanted.watch_for_ever()),
            ):
                names = ",".join(step.name for step in steps)
                told = {"steps": names, "tries": tries_of(steps), "servers": servers_of(settings)}
                program.announce(logger, "running steps", f"runs {names}", **told)
                await worker.run()
                logger.info(ended_words(status.counts()))


def part(settings: Settings, names: Sequence[str], catalog: StepCatalog = STEPS) -> Part:
    """The worker for steps of these names."""
    steps = select_steps(catalog, settings, names)

    async def work_and_close(program: Program) -> None:
        try:
            await work(program, catalog, steps, lambda: engine_samples(ENGINES.engines))
        finally:
            await asyncio.to_thread(ENGINES.close)

    return Part("steps", "windmill-jobs", "workers.jobs", work_and_close)


async def main(catalog: StepCatalog, settings: Settings, stop: Event) -> int:
    return await run_alone(part(settings, settings.steps, catalog), settings, stop)


def start(catalog: StepCatalog) -> int:
    """Run a worker with these steps; its exit code."""
    return run(partial(main, catalog))


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m workers.jobs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    sys.exit(start(STEPS))
