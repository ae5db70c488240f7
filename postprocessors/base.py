"""The main loop of every post-processor: look for stale images, let the stage process them, repeat. Waits while the
database is unavailable, and sweeps once the images that are older than the stage.
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
from windmill.derive.backlog import BacklogReader, of_works
from windmill.derive.catching_up import catch_up
from windmill.derive.claims import introduce
from windmill.process.lifecycle import Program, patiently, reporting
from windmill.process.metrics import Sample, of_calls, of_reconnects
from windmill.process.runner import DONE, pause, run
from windmill.storage import database
from windmill.storage.queries import queries

logger = logging.getLogger("postprocessors")


class Work(Protocol):
    """One stage: its images, dealt with round by round."""

    stage: Stage
    counts: Counter[str]
    """What became of images: looked at, changed, failed."""
    states: Iterable[ServiceState]
    """The services that it calls."""

    async def __aenter__(self) -> "Work": ...

    async def __aexit__(self, *_: object) -> None: ...

    async def round(self, stop: asyncio.Event) -> int:
        """Deal with some stale images; returns with how many, 0 when none is due."""
        ...


MakeWork = Callable[[database.Pool, Settings, Fleet], Work]


class PostProcessor:
    """One process; `run` reads from start to stop."""

    def __init__(self, program: Program, makes: Sequence[MakeWork]) -> None:
        self._program = program
        self._settings = program.settings
        self._makes = makes
        self._works: list[Work] = []
        self._outages: list[Outage] = []

    async def run(self) -> None:
        program, settings = self._program, self._settings
        fleet, backlog = load_fleet(settings.service_config), BacklogReader(settings)
        async with (
            reporting(logger, self._counts),
            database.pool(settings, program.title, most=2 * len(self._makes) + 2) as pool,
            AsyncExitStack() as stack,
            program.observed({"database": self._database_trouble}, partial(self._samples, backlog, pool)),
        ):
            self._works = [await stack.enter_async_context(make(pool, settings, fleet)) for make in self._makes]
            if not await self._introduced(pool, fleet):
                return
            stages = ",".join(work.stage for work in self._works)
            program.announce(logger, "post-processing", f"post-processes {stages}", stages=stages)
            await self._all(pool)

    async def _introduced(self, pool: database.Pool, fleet: Fleet) -> bool:
        """Let the database know our stages, once it is there; False when the process is to stop before that."""
        outage = self._outage()
        for work in self._works:
            if not await patiently(self._program, outage, partial(self._introduce, pool, fleet, work.stage)):
                return False
        return True

    async def _introduce(self, pool: database.Pool, fleet: Fleet, stage: Stage) -> None:
        await database.check(pool, self._settings, queries()["derived_tables_are_there"])
        if await introduce(pool, self._settings, fleet, stage):
            logger.info("all images are looked at once", extra={"stage": stage})

    async def _all(self, pool: database.Pool) -> None:
        """Every stage in a loop of its own; the first one that fails ends them all."""
        stop = self._program.stop
        loops = [asyncio.ensure_future(self._loop(work)) for work in self._works]
        loops += [asyncio.ensure_future(catch_up(pool, self._settings, work.stage, stop)) for work in self._works]
        try:
            await asyncio.gather(*loops)
        finally:
            for one in loops:
                one.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _loop(self, work: Work) -> None:
        """Round after round; here every error of the database may pass, as it was well at the start."""
        program, outage = self._program, self._outage()
        while not program.stop.is_set():
            program.notifier.tick()
            try:
                done = await work.round(program.stop)
            except WindmillError as error:
                await pause(program.stop, outage.failed(error))
                continue
            outage.over()
            if not done:
                await pause(program.stop, self._settings.poll_milliseconds / 1000)
        program.notifier.stopping()

    def _outage(self) -> Outage:
        self._outages.append(Outage("the database"))
        return self._outages[-1]

    def _database_trouble(self) -> str | None:
        """As seen by any of the stages."""
        troubles = (outage.trouble for outage in self._outages)
        return next((trouble for trouble in troubles if trouble), None if self._outages else "not reached yet")

    async def _samples(self, backlog: BacklogReader, pool: database.Pool) -> list[Sample]:
        reconnects = {"database": max((outage.ended for outage in self._outages), default=0)}
        calls = [sample for work in self._works for state in work.states for sample in of_calls(state)]
        return [*of_works(self._works), *calls, *of_reconnects(reconnects), *await backlog.samples(pool)]

    def _counts(self) -> dict[str, int]:
        return {f"{work.stage}_{name}": count for work in self._works for name, count in sorted(work.counts.items())}


def start(description: str, module: str, *makes: MakeWork) -> int:
    """The main of a post-processor's module; returns its exit code."""
    argparse.ArgumentParser(
        prog=f"python -m postprocessors.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()

    async def main(settings: Settings, stop: asyncio.Event) -> int:
        program = Program("windmill-postprocessor", "postprocessors", settings, stop)
        await PostProcessor(program, makes).run()
        return DONE

    return run(main)
