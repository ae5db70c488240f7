"""The consumer of one service in one broker session: prefetch, pauses, and when it is lost or stalled."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable

from windmill.broker import Consumer, Publisher
from windmill.calling.job_handler import JobHandler
from windmill.calling.prober import Prober
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.settings import Settings
from windmill.edge.delivery_processor import DeliveryProcessor
from windmill.edge.quarantine import Quarantine
from windmill.storage.result_writer import ResultWriter

CHECK_SECONDS = 1.0
MIN_CHECK_SECONDS = 0.01
STALLED_SECONDS = 30.0
TYPICAL_COMMIT_SECONDS = 0.02
MAX_WAITING_FOR_COMMIT = 100


class ServiceConsumer:
    """Consumes the queue of one service. Pauses while the service or the database is away."""

    def __init__(
        self,
        state: ServiceState,
        settings: Settings,
        consumption: Consumer,
        publisher: Publisher,
        handler: JobHandler[Job],
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
        self._prefetch = 0
        self._seen = (0, clock())
        self.processor = DeliveryProcessor(
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
        """Consume until the program stops; raises BROKER_UNAVAILABLE when a new session is needed."""
        self._quarantine.register(self.processor, self._wake.set)
        try:
            while not stop.is_set():
                await self._set_prefetch(self._wanted_prefetch())
                await self._wait_for_change()
                await self._check_stalled()
                self._prober.probe_when_due()
        finally:
            # Also after a lost session: the next one redelivers jobs that have not begun.
            self.processor.close()
            self._quarantine.unregister(self.processor)
            self._prober.close()
        await self._consumption.stop()

    def _wanted_prefetch(self) -> int:
        """The prefetch for now; 0 while the service or the database is away."""
        breaker = self.state.breaker.state
        if breaker == "open" or self._writer.away:
            return 0
        if self.processor.has_suspects:
            wanted = 1
        elif breaker == "half-open":
            wanted = min(self.state.ramp_up.limit or 1, self.state.slots.size)
        else:
            wanted = prefetch(self.state.slots.size, self.state.call_seconds)
        return self._quarantine.allowed_prefetch(self.processor, wanted)

    async def _set_prefetch(self, wanted: int) -> None:
        if not prefetch_needs_change(self._prefetch, wanted):
            return
        await self._consumption.stop()
        if wanted:
            await self._consumption.start(self.processor.process, wanted)
        self._prefetch = wanted
        self._quarantine.set_prefetch(self.processor, wanted)
        self._seen = (self.processor.deliveries, self._clock())

    async def _wait_for_change(self) -> None:
        until_probe = self.state.breaker.seconds_left() or CHECK_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(until_probe, MIN_CHECK_SECONDS), CHECK_SECONDS)):
                await self._wake.wait()
        self._wake.clear()
        if self._broken:
            raise self._broken
        if self._consumption.lost():
            raise WindmillError("BROKER_UNAVAILABLE", f"the consumer of {self.state.service.name} was lost")

    async def _check_stalled(self) -> None:
        """Jobs wait and this consumer is idle, but the broker delivers nothing: seen after broker failures."""
        deliveries, since = self._seen
        now = self._clock()
        if not self._prefetch or self.processor.deliveries != deliveries or self.state.in_progress:
            self._seen = (self.processor.deliveries, now)
        elif now - since >= STALLED_SECONDS:
            self._seen = (deliveries, now)
            if await self._consumption.depth() and self.processor.deliveries == deliveries:
                message = f"{self.state.service.name} has jobs, but none was delivered for {STALLED_SECONDS:g} s"
                raise WindmillError("BROKER_UNAVAILABLE", message)

    def wake(self) -> None:
        """Check now whether to stop."""
        self._wake.set()

    def _on_broken(self, error: WindmillError) -> None:
        self._broken = error
        self._wake.set()


def prefetch(calls: int, seconds: float) -> int:
    """How many jobs to hold: one for each concurrent call, one more, and as many as finish while others wait for their
    commit. Fast services fill batches; slow ones hoard no jobs that would exceed RabbitMQ's consumer timeout."""
    return calls + 1 + min(math.ceil(calls * TYPICAL_COMMIT_SECONDS / max(seconds, 0.0001)), MAX_WAITING_FOR_COMMIT)


def prefetch_needs_change(held: int, wanted: int) -> bool:
    """Changing the prefetch means a new consumer, so small changes wait; `slots` limits concurrency in any case."""
    if min(held, wanted) <= 1:
        return held != wanted
    return not 0.75 <= wanted / held <= 1.34
