"""The consumer of one service in one broker session: prefetch, pauses, and when it is lost or stalled."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import Protocol

from windmill.broker import OnDelivery, Publisher, ServiceConsumers
from windmill.calling.job_handler import JobHandler
from windmill.calling.prober import Prober
from windmill.calling.service_state import ServiceState
from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.settings import Settings
from windmill.edge.delivery_processor import DeliveryProcessor
from windmill.edge.quarantine import Quarantine
from windmill.edge.session_losses import SessionLosses
from windmill.storage.result_writer import ResultWriter

CHECK_SECONDS = 1.0
MIN_CHECK_SECONDS = 0.01
STALLED_SECONDS = 30.0
TYPICAL_COMMIT_SECONDS = 0.02
MAX_WAITING_FOR_COMMIT = 100


class Consumption(Protocol):
    """Consumes one queue; `windmill.broker.Consumer` is one."""

    async def start(self, on_delivery: OnDelivery, prefetch: int) -> None: ...

    async def stop(self) -> None: ...

    def lost(self) -> bool: ...

    async def depth(self) -> int: ...


class _Lane:
    """One of the two queues of a service, ordinary or urgent: its prefetch, and whether it is stalled."""

    def __init__(
        self,
        consumption: Consumption,
        processor: DeliveryProcessor,
        quarantine: Quarantine,
        clock: Callable[[], float],
    ) -> None:
        self.consumption = consumption
        self.processor = processor
        self._quarantine = quarantine
        self._clock = clock
        self._prefetch = 0
        self._seen = (0, clock())

    async def set_prefetch(self, wanted: int) -> None:
        """Consume with about this prefetch, as far as the quarantine allows; 0 stops."""
        wanted = self._quarantine.allowed_prefetch(self.processor, wanted) if wanted else 0
        if not prefetch_needs_change(self._prefetch, wanted):
            return
        await self.consumption.stop()
        if wanted:
            await self.consumption.start(self.processor.process, wanted)
        self._prefetch = wanted
        self._quarantine.set_prefetch(self.processor, wanted)
        self._seen = (self.processor.deliveries, self._clock())

    async def is_stalled(self) -> bool:
        """Whether jobs wait and this consumer is idle, but the broker delivers nothing: seen after broker failures."""
        deliveries, since = self._seen
        now = self._clock()
        if not self._prefetch or self.processor.deliveries != deliveries or self.processor.in_progress:
            self._seen = (self.processor.deliveries, now)
        elif now - since >= STALLED_SECONDS:
            self._seen = (deliveries, now)
            return await self.consumption.depth() > 0 and self.processor.deliveries == deliveries
        return False

    def close(self) -> None:
        """Begin no further job."""
        self.processor.close()
        self._quarantine.unregister(self.processor)


class ServiceConsumer:
    """Consumes the two queues of one service. Pauses while people want it, and while the service or the database is
    away.

    Both queues are consumed at the same time, each with its own prefetch. Which of the jobs in hand begins next is
    decided where they wait for a slot of the service: urgent jobs overtake the ordinary ones that have not begun, of
    which a worker holds no more than one prefetch.
    """

    def __init__(
        self,
        state: ServiceState,
        settings: Settings,
        consumptions: ServiceConsumers,
        publisher: Publisher,
        handler: JobHandler[Job],
        writer: ResultWriter,
        quarantine: Quarantine,
        losses: SessionLosses,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = state
        self._writer = writer
        self._quarantine = quarantine
        self._broken: WindmillError | None = None
        self._wake = asyncio.Event()
        self._prober = Prober(state, self._wake.set)

        def lane(consumption: Consumption, *, urgent: bool) -> _Lane:
            processor = DeliveryProcessor(
                state,
                settings,
                handler,
                writer,
                publisher,
                quarantine,
                losses,
                urgent=urgent,
                on_change=self._wake.set,
                on_broken=self._on_broken,
            )
            return _Lane(consumption, processor, quarantine, clock)

        self._ordinary = lane(consumptions.ordinary, urgent=False)
        self._urgent = lane(consumptions.urgent, urgent=True)
        self._lanes = (self._urgent, self._ordinary)

    @property
    def processor(self) -> DeliveryProcessor:
        """The processor of ordinary jobs."""
        return self._ordinary.processor

    @property
    def settled(self) -> int:
        """How many deliveries were settled in this session."""
        return sum(lane.processor.settled for lane in self._lanes)

    async def drained(self) -> None:
        """Return when every delivery is settled."""
        await asyncio.gather(*(lane.processor.drained() for lane in self._lanes))

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until the program stops; raises BROKER_UNAVAILABLE when a new session is needed."""
        for lane in self._lanes:
            self._quarantine.register(lane.processor, self._wake.set)
        try:
            while not stop.is_set():
                for lane in self._lanes:
                    await lane.set_prefetch(self._wanted_prefetch(lane))
                await self._wait_for_change()
                await self._check_stalled()
                if not self.state.paused:
                    self._prober.probe_when_due()
        finally:
            # Also after a lost session: the next one redelivers jobs that have not begun.
            for lane in self._lanes:
                lane.close()
            self._prober.close()
        for lane in self._lanes:
            await lane.consumption.stop()

    def _wanted_prefetch(self, lane: _Lane) -> int:
        """The prefetch for now; 0 while the service is paused, or while it or the database is away."""
        breaker = self.state.breaker.state
        if self.state.paused or breaker == "open" or self._writer.away:
            return 0
        if lane.processor.has_suspects:
            return 1
        if breaker == "half-open":
            return min(self.state.ramp_up.limit or 1, self.state.slots.size)
        return prefetch(self.state.slots.size, self.state.call_seconds)

    async def _wait_for_change(self) -> None:
        until_probe = self.state.breaker.seconds_left() or CHECK_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(until_probe, MIN_CHECK_SECONDS), CHECK_SECONDS)):
                await self._wake.wait()
        self._wake.clear()
        if self._broken:
            raise self._broken
        if any(lane.consumption.lost() for lane in self._lanes):
            raise WindmillError("BROKER_UNAVAILABLE", f"the consumer of {self.state.service.name} was lost")

    async def _check_stalled(self) -> None:
        for lane in self._lanes:
            if await lane.is_stalled():
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
