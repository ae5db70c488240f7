"""The life of a post-processor, whichever stage it is: ask for stale images, have the stage deal with them, again and
again; be patient while the database is away; look once at the images that were there before the stage.
"""

import argparse
import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol

from postprocessors.catching_up import catch_up
from postprocessors.numbers import Backlog, of_works
from windmill import database
from windmill.calling.service_state import ServiceState
from windmill.errors import WindmillError
from windmill.health import Health
from windmill.metrics import Sample, of_calls, of_reconnects
from windmill.monitoring import monitored
from windmill.outages import Outage
from windmill.queries import queries
from windmill.runner import DONE, background, pause, run
from windmill.services import Fleet, load_fleet
from windmill.settings import Settings
from windmill.stages import Stage
from windmill.staleness import introduce
from windmill.systemd import Notifier

logger = logging.getLogger("postprocessors")

REPORT_SECONDS = 60.0


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

    def __init__(
        self, settings: Settings, makes: Sequence[MakeWork], stop: asyncio.Event, notifier: Notifier | None = None
    ) -> None:
        self._settings = settings
        self._makes = makes
        self._stop = stop
        self._notifier = notifier or Notifier()
        self._works: list[Work] = []
        self._outages: list[Outage] = []

    async def run(self) -> None:
        settings = self._settings
        fleet = load_fleet(settings.service_config)
        async with (
            database.pool(
                settings, f"windmill-postprocessor {settings.worker_name()}", most=2 * len(self._makes) + 2
            ) as pool,
            AsyncExitStack() as stack,
            background(self._notifier.keep_alive()),
            self._monitored(pool),
        ):
            self._works = [await stack.enter_async_context(make(pool, settings, fleet)) for make in self._makes]
            await self._begin(pool, fleet)
            stages = ",".join(work.stage for work in self._works)
            logger.info("post-processing", extra={"stages": stages, "worker_id": settings.worker_name()})
            self._notifier.ready(f"post-processes {stages}")
            async with background(self._report()):
                await self._all(pool)
        logger.info("stopped", extra=self._counted())

    async def _begin(self, pool: database.Pool, fleet: Fleet) -> None:
        """Let the database know our stages, once it is there."""
        outage = self._outage()
        left = [work.stage for work in self._works]
        while left and not self._stop.is_set():
            self._notifier.tick()
            try:
                await database.check(pool, self._settings, queries()["derived_tables_are_there"])
                if await introduce(pool, self._settings, fleet, left[0]):
                    logger.info("all images are looked at once", extra={"stage": left[0]})
                left.pop(0)
            except WindmillError as error:
                if error.retry == "never":
                    raise
                await pause(self._stop, outage.failed(error))
            else:
                outage.over()

    async def _all(self, pool: database.Pool) -> None:
        """Every stage in a loop of its own; the first one that fails ends them all."""
        loops = [asyncio.ensure_future(self._loop(work)) for work in self._works]
        loops += [asyncio.ensure_future(catch_up(pool, self._settings, work.stage, self._stop)) for work in self._works]
        try:
            await asyncio.gather(*loops)
        finally:
            for one in loops:
                one.cancel()
            await asyncio.gather(*loops, return_exceptions=True)

    async def _loop(self, work: Work) -> None:
        outage = self._outage()
        while not self._stop.is_set():
            self._notifier.tick()
            try:
                done = await work.round(self._stop)
            except WindmillError as error:
                await pause(self._stop, outage.failed(error))
                continue
            outage.over()
            if not done:
                await pause(self._stop, self._settings.poll_milliseconds / 1000)
        self._notifier.stopping()

    def _outage(self) -> Outage:
        self._outages.append(Outage("the database"))
        return self._outages[-1]

    def _monitored(self, pool: database.Pool) -> AbstractAsyncContextManager[None]:
        """Metrics and health of this process."""
        backlog = Backlog(self._settings)
        health = Health(
            alive={"main loop": self._notifier.late},
            ready={
                "running": lambda: "stops" if self._stop.is_set() else None,
                "database": self._database_trouble,
            },
        )

        async def samples() -> list[Sample]:
            reconnects = {"database": max((outage.ended for outage in self._outages), default=0)}
            calls = [sample for work in self._works for state in work.states for sample in of_calls(state)]
            return [*of_works(self._works), *calls, *of_reconnects(reconnects), *await backlog.samples(pool)]

        return monitored(self._settings, "postprocessors", health, samples)

    def _database_trouble(self) -> str | None:
        """As seen by any of the stages."""
        troubles = (outage.trouble for outage in self._outages)
        return next((trouble for trouble in troubles if trouble), None if self._outages else "not reached yet")

    async def _report(self) -> None:
        said = self._counted()
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if said != (said := self._counted()):
                logger.info("progress", extra=said)

    def _counted(self) -> dict[str, int]:
        return {f"{work.stage}_{name}": count for work in self._works for name, count in sorted(work.counts.items())}


def start(description: str, module: str, *makes: MakeWork) -> int:
    """The main of a post-processor's module; returns its exit code."""
    argparse.ArgumentParser(
        prog=f"python -m postprocessors.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()

    async def main(settings: Settings, stop: asyncio.Event) -> int:
        await PostProcessor(settings, makes, stop).run()
        return DONE

    return run(main)
