"""The main loop of every post-processor: process stale images round by round, sleep while there are none, wait while
the database is away, backfill images that are older than the stage, and convert derived rows of an older form.
"""

import argparse
import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol

from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.services import Fleet, load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.backfill import backfill
from windmill.derive.backlog import backlog_reader, stages_samples
from windmill.derive.clock_steps import ClockStepGuard
from windmill.derive.conversion import convert_in_background
from windmill.derive.stage_feeds import register_stage_feeds
from windmill.derive.wake_ups import WakeUps
from windmill.jobs.fleet_reaper import FleetReaper
from windmill.process.lifecycle import Program, progress_log, retry_until_stopped
from windmill.process.metric import Sample
from windmill.process.metrics import call_samples, reconnect_samples
from windmill.process.parts import Part, run_alone
from windmill.process.runner import background, pause, run
from windmill.process.scraped_rows import ScrapedRows
from windmill.process.wanted_watch import WantedWatch
from windmill.storage import database
from windmill.storage.migrations import check_schema
from windmill.storage.queries import queries

logger = logging.getLogger("postprocessors")


class StageRunner(Protocol):
    """Processes the stale images of one stage in rounds."""

    stage: Stage
    counts: Counter[str]
    """Counters of images: looked_at, changed, failed."""
    states: Iterable[ServiceState]
    """The services that it calls."""

    @property
    def busy(self) -> bool:
        """Whether it works on images between two rounds."""
        ...

    async def __aenter__(self) -> "StageRunner": ...

    async def __aexit__(self, *_: object) -> None: ...

    async def run_round(self, stop: asyncio.Event) -> int:
        """Process some stale images; returns how many, 0 when none is due."""
        ...


MakeRunner = Callable[[database.Pool, Settings, Fleet], StageRunner]


class PostProcessor:
    """One process with the runners of its stages."""

    def __init__(self, program: Program, make_runners: Sequence[MakeRunner]) -> None:
        self._program = program
        self._settings = program.settings
        self._make_runners = make_runners
        self._runners: list[StageRunner] = []
        self._outages: list[Outage] = []

    async def run(self) -> None:
        program, settings = self._program, self._settings
        fleet = load_fleet(settings.service_config)
        async with (
            progress_log(logger, self._counts),
            database.pool(settings, program.title, max_size=2 * len(self._make_runners) + 4, keeps_plans=True) as pool,
            AsyncExitStack() as stack,
        ):
            reaper = FleetReaper(program, pool)
            samples = partial(self._samples, backlog_reader(settings), reaper, pool)
            await stack.enter_async_context(program.monitoring({"database": self._database_trouble}, samples))
            self._runners = [
                await stack.enter_async_context(make_runner(pool, settings, fleet))
                for make_runner in self._make_runners
            ]
            wanted = WantedWatch(pool, settings, [state for runner in self._runners for state in runner.states])
            if not await self._registered(pool, fleet) or not await wanted.begin(program, self._new_outage()):
                return
            stages = ",".join(runner.stage for runner in self._runners)
            program.announce(logger, "post-processing", f"post-processes {stages}", stages=stages)
            async with background(reaper.reap_for_ever()), background(wanted.watch_for_ever()):
                await self._run_loops(pool)

    async def _registered(self, pool: database.Pool, fleet: Fleet) -> bool:
        """Register the stages, waiting for the database; False when `stop` is set before that."""
        outage = self._new_outage()
        for runner in self._runners:
            if not await retry_until_stopped(self._program, outage, partial(self._register, pool, fleet, runner.stage)):
                return False
        return True

    async def _register(self, pool: database.Pool, fleet: Fleet, stage: Stage) -> None:
        await check_schema(pool, self._settings, queries()["derived_tables_are_there"])
        if await register_stage_feeds(pool, self._settings, fleet, stage):
            logger.info("backfill of all images begins", extra={"stage": stage})

    async def _run_loops(self, pool: database.Pool) -> None:
        """Run a loop for each stage; the first failure ends them all."""
        stop, stages = self._program.stop, [runner.stage for runner in self._runners]
        async with WakeUps(pool, self._settings, stages, stop) as wake_ups:
            loops = [asyncio.ensure_future(self._loop(runner, pool, wake_ups)) for runner in self._runners]
            loops += [asyncio.ensure_future(backfill(pool, self._settings, stage, stop)) for stage in stages]
            loops.append(asyncio.ensure_future(convert_in_background(pool, self._settings, stop)))
            try:
                await asyncio.gather(*loops)
            finally:
                for one in loops:
                    one.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

    async def _loop(self, runner: StageRunner, pool: database.Pool, wake_ups: WakeUps) -> None:
        """Round after round, while there is something to do. Every database error is retried here, as the database
        worked at the start."""
        program, outage = self._program, self._new_outage()
        clock_steps = ClockStepGuard(pool, self._settings, runner.stage)
        to_do = True
        while not program.stop.is_set():
            program.notifier.tick()
            try:
                done = await runner.run_round(program.stop) if to_do else 0
                await clock_steps.look()
                outage.over()
                if to_do and not done and not runner.busy:
                    await pause(program.stop, self._settings.poll_milliseconds / 1000)
                to_do = runner.busy or await wake_ups.wait(runner.stage)
            except WindmillError as error:
                to_do = True
                await pause(program.stop, outage.failed(error))
        program.notifier.stopping()

    def _new_outage(self) -> Outage:
        self._outages.append(Outage("the database"))
        return self._outages[-1]

    def _database_trouble(self) -> str | None:
        """The readiness check of the database, for all stages."""
        troubles = (outage.trouble for outage in self._outages)
        return next((trouble for trouble in troubles if trouble), None if self._outages else "not reached yet")

    async def _samples(self, backlog: ScrapedRows, reaper: FleetReaper, pool: database.Pool) -> list[Sample]:
        reconnects = {"database": max((outage.ended for outage in self._outages), default=0)}
        calls = [sample for runner in self._runners for state in runner.states for sample in call_samples(state)]
        own = [*stages_samples(self._runners), *calls, *reconnect_samples(reconnects)]
        return [*own, *await backlog.samples(pool), *await reaper.samples()]

    def _counts(self) -> dict[str, int]:
        return {
            f"{runner.stage}_{name}": count for runner in self._runners for name, count in sorted(runner.counts.items())
        }


def stages_part(make_runners: Sequence[MakeRunner]) -> Part:
    """The post-processor of these stages."""

    async def work(program: Program) -> None:
        await PostProcessor(program, make_runners).run()

    return Part("stages", "windmill-postprocessor", "postprocessors", work)


def start(description: str, module: str, *make_runners: MakeRunner) -> int:
    """The main function of a post-processor module; returns its exit code."""
    argparse.ArgumentParser(
        prog=f"python -m postprocessors.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    return run(partial(run_alone, stages_part(make_runners)))
