"""One service's way through one broker session: when deliveries come, when they pause, when the session is lost."""

import asyncio
import contextlib

from windmill.broker import Consumption, Publisher
from windmill.errors import WindmillError
from windmill.outages import Outage
from windmill.results import ResultWriter
from windmill.runner import pause
from windmill.services import Service
from windmill.settings import Settings
from workers.edge import Edge
from workers.handler import Handler

WATCH_SECONDS = 1.0


class Lane:
    """A consumer, its edge and its pauses."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        consumption: Consumption,
        publisher: Publisher,
        handler: Handler,
        writer: ResultWriter,
        slots: asyncio.Semaphore,
    ) -> None:
        self.service = service
        self._settings = settings
        self._consumption = consumption
        self._outage = Outage(f"service {service.name}", first=1.0, most=30.0)
        self._unavailable: WindmillError | None = None
        self._broken: WindmillError | None = None
        self._wake = asyncio.Event()
        self.edge = Edge(
            service,
            settings,
            handler,
            writer,
            publisher,
            slots,
            on_unavailable=self._on_unavailable,
            on_answer=self._outage.over,
            on_broken=self._on_broken,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; raises BROKER_UNAVAILABLE when the session is of no more use."""
        try:
            while not stop.is_set():
                self._unavailable = None
                self._wake.clear()
                await self._consumption.start(self.edge.take, prefetch(self.service, self._settings))
                await self._until_interrupted(stop)
                if self._unavailable and not stop.is_set():
                    await self._consumption.stop()
                    await pause(stop, self._outage.failed(self._unavailable))
        finally:
            # Also when the session is lost: what has not begun comes again in the next one.
            self.edge.close()
        await self._consumption.stop()

    async def _until_interrupted(self, stop: asyncio.Event) -> None:
        while not (stop.is_set() or self._unavailable):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self._wake.wait()
            if self._broken or await self._consumption.lost():
                reason = self._broken or f"the consumer of {self.service.name} was lost"
                raise WindmillError("BROKER_UNAVAILABLE", str(reason))

    def wake(self) -> None:
        """Look at once whether to stop."""
        self._wake.set()

    def _on_unavailable(self, error: WindmillError) -> None:
        self._unavailable = error
        self._wake.set()

    def _on_broken(self, error: WindmillError) -> None:
        self._broken = error
        self._wake.set()


def prefetch(service: Service, settings: Settings) -> int:
    """Jobs to hold: those in the service's hands, and as many again on their way to it or to the commit."""
    return 2 * concurrency(service, settings) + 2


def concurrency(service: Service, settings: Settings) -> int:
    """Calls at a time from this process."""
    return settings.worker_concurrency or service.concurrency
