"""Programs that run alone, or as parts of one process on a small machine.

A part does the same in both cases. Beside others it has a Program of its own, whose health, metrics and notices to
systemd become those of the process; its log lines name it. All parts stop together: on a signal, and when one of them
fails, because a process without one of its parts would look healthy and never do that part's work. An outage fails no
part, as each waits it out.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.process import logs
from windmill.process.health import Health, HealthReport, merge_reports
from windmill.process.lifecycle import Program
from windmill.process.merged_samples import merge_samples
from windmill.process.metric import Sample
from windmill.process.metrics_and_health_server import ReadSamples
from windmill.process.part_notifier import SharedNotifier
from windmill.process.runner import DONE, background

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A program: its name among the parts, its names where it runs alone (see Program), and what it does until its
    program stops."""

    name: str
    program_name: str
    module: str
    work: Callable[[Program], Awaitable[None]]


async def run_alone(part: Part, settings: Settings, stop: asyncio.Event) -> int:
    """Run a part as the whole program."""
    await part.work(Program(part.program_name, part.module, settings, stop))
    return DONE


async def run_together(parts: Sequence[Part], settings: Settings, stop: asyncio.Event) -> int:
    """Run all parts until `stop` is set. If one fails, all stop, and its error is raised."""
    process = SharedProcess(parts, settings)
    async with background(process.stop_on(stop)), process.watched():
        await process.run()
    return DONE


@dataclass
class Monitored:
    """What one part tells of itself. Mutable: until it is ready to tell, it is starting and has no metrics."""

    health: Health
    read_samples: ReadSamples | None = None


@dataclass(frozen=True, kw_only=True)
class PartProgram(Program):
    """What a part sees as its program; the process watches over it and serves what it tells."""

    monitored: Monitored

    @contextlib.asynccontextmanager
    async def watched(self, health: Health, samples: ReadSamples) -> AsyncIterator[None]:
        self.monitored.health, self.monitored.read_samples = health, samples
        try:
            yield
        finally:
            self.monitored.read_samples = None


class SharedHealth(Health):
    """The health of all parts."""

    def __init__(self, parts: Mapping[str, Monitored]) -> None:
        super().__init__(alive={}, ready={})
        self._parts = parts

    def alive(self) -> HealthReport:
        return merge_reports({name: part.health.alive() for name, part in self._parts.items()})

    def ready(self) -> HealthReport:
        return merge_reports({name: part.health.ready() for name, part in self._parts.items()})


class SharedProcess:
    """The process of several parts."""

    def __init__(self, parts: Sequence[Part], settings: Settings) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        """Set on a signal and when a part fails. Only a signal sets that of the process: a second one ends all."""
        self._notifier = SharedNotifier([part.name for part in parts])
        self._program = Program("windmill-run", "windmill run", settings, self._stop, self._notifier)
        self._monitored = {name: Monitored(_starting(name, self._notifier)) for name in self._notifier.parts}
        self._failures: list[Exception] = []

    async def stop_on(self, stop: asyncio.Event) -> None:
        """Stop all parts once it is set."""
        await stop.wait()
        self._stop.set()

    def watched(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Send watchdog signals and serve health and metrics of all parts while the block runs."""
        return self._program.watched(SharedHealth(self._monitored), self._samples)

    async def run(self) -> None:
        """Run the parts until all have ended; raises what the first one failed with."""
        running = [asyncio.create_task(self._run(part)) for part in self._parts]
        try:
            await asyncio.wait(running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for failure in self._failures:
            raise failure
        for task in running:
            task.result()  # raises CancelledError for a part that was cut short

    async def _run(self, part: Part) -> None:
        logs.PART.set(part.name)
        notifier = self._notifier.parts[part.name]
        settings, monitored = self._program.settings, self._monitored[part.name]
        program = PartProgram(part.program_name, part.module, settings, self._stop, notifier, monitored=monitored)
        try:
            await part.work(program)
            if not self._stop.is_set():
                raise WindmillError("DEFECT", f"{part.module} ended although nothing had asked it to stop")
        except Exception as error:  # noqa: BLE001 - raised once the other parts have stopped
            self._failures.append(error)
            logger.error("a part failed, and all stop", extra={"reason": str(error) or repr(error)})  # noqa: TRY400
        finally:
            self._stop.set()
            notifier.stopping()  # it makes no more iterations, and others may take their time to finish

    async def _samples(self) -> list[Sample]:
        told = [await part.read_samples() for part in list(self._monitored.values()) if part.read_samples]
        return merge_samples(sample for samples in told for sample in samples)


def _starting(part: str, notifier: SharedNotifier) -> Health:
    return Health(alive={"main loop": notifier.parts[part].stalled}, ready={"running": lambda: "is starting"})
