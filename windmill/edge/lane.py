"""One service's way through one broker session: when deliveries come, when they pause, when the session is lost."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable

from windmill.broker import Consumption, Publisher
from windmill.calling.handler import Handler
from windmill.calling.prober import Prober
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.settings import Settings
from windmill.edge.edge import Edge
from windmill.edge.quarantine import Quarantine
from windmill.storage.results import ResultWriter

WATCH_SECONDS = 1.0
STALLED_SECONDS = 30.0
COMMIT_SECONDS = 0.02
MOST_WAITING = 100


class Lane:
    """A consumer, its edge and its pauses."""

    def __init__(
        self,
        state: ServiceState,
        settings: Settings,
        consumption: Consumption,
        publisher: Publisher,
        handler: Handler[Job],
        writer: ResultWriter,
        quarantine: Quarantine,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self._consumption = consumption
        self._writer = writer
        self._quarantine = quarantine
        self._clock = clock
        self._broken: WindmillError | None = None
        self._wake = asyncio.Event()
        self._prober = Prober(state, self._wake.set)
        self._consuming = 0
        self._seen = (0, clock())
        self.edge = Edge(
            state,
            settings,
            handler,
            writer,
            publisher,
            quarantine,
            on_change=self._wake.set,
            on_broken=self._on_broken,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; raises BROKER_UNAVAILABLE when the session is of no more use."""
        self._quarantine.open(self.edge, self._wake.set)
        try:
            while not stop.is_set():
                await self._consume(self._wanted())
                await self._until_something_changes()
                await self._must_be_served()
                self._prober.ask_when_due()
        finally:
            # Also when the session is lost: what has not begun comes again in the next one.
            self.edge.close()
            self._quarantine.close(self.edge)
            self._prober.close()
        await self._consumption.stop()

    def _wanted(self) -> int:
        """How many deliveries to hold as things are; none while the service or the database is away."""
        breaker = self.state.breaker.state
        if breaker == "open" or self._writer.away:
            return 0
        cautious = breaker == "half-open" or self.edge.on_trial
        wanted = 1 if cautious else prefetch(self.state.slots.size, self.state.call_seconds)
        return self._quarantine.allowed(self.edge, wanted)

    async def _consume(self, wanted: int) -> None:
        if not worth_changing(self._consuming, wanted):
            return
        await self._consumption.stop()
        if wanted:
            await self._consumption.start(self.edge.take, wanted)
        self._consuming = wanted
        self._quarantine.consumes(self.edge, wanted)
        self._seen = (self.edge.deliveries, self._clock())

    async def _until_something_changes(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await self._wake.wait()
        self._wake.clear()
        if self._broken:
            raise self._broken
        if self._consumption.lost():
            raise WindmillError("BROKER_UNAVAILABLE", f"the consumer of {self.state.service.name} was lost")

    async def _must_be_served(self) -> None:
        """Jobs wait, we are registered and idle, and yet nothing comes: seen with brokers after a bad moment."""
        deliveries, since = self._seen
        now = self._clock()
        if not self._consuming or self.edge.deliveries != deliveries or self.state.in_progress:
            self._seen = (self.edge.deliveries, now)
        elif now - since >= STALLED_SECONDS:
            self._seen = (deliveries, now)
            if await self._consumption.depth() and self.edge.deliveries == deliveries:
                said = f"{self.state.service.name} has jobs, but none was delivered for {STALLED_SECONDS:g} s"
                raise WindmillError("BROKER_UNAVAILABLE", said)

    def wake(self) -> None:
        """Look at once whether to stop."""
        self._wake.set()

    def _on_broken(self, error: WindmillError) -> None:
        self._broken = error
        self._wake.set()


def prefetch(calls: int, seconds: float) -> int:
    """Jobs to hold where calls take so long: those in the service's hands, one to follow, and as many as get done
    while others wait for their commit. So quick services fill batches, and slow ones hoard nothing, which the broker
    would take back after half an hour."""
    return calls + 1 + min(math.ceil(calls * COMMIT_SECONDS / max(seconds, 0.0001)), MOST_WAITING)


def worth_changing(held: int, wanted: int) -> bool:
    """A new number means a new consumer, so small changes wait; the size of `slots` counts in any case."""
    if min(held, wanted) <= 1:
        return held != wanted
    return not 0.75 <= wanted / held <= 1.34
