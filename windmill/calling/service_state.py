"""The state of one service in one process: its health, its concurrency limit, and counts of outcomes.

It lives as long as the process, because calls continue when the broker connection is lost.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from windmill.calling.canary_watch import CanaryWatch
from windmill.calling.circuit_breaker import CircuitBreaker
from windmill.calling.fleet_slots import FleetSlots
from windmill.calling.ramp_up import RampUp
from windmill.calling.repeated_probe import PROBE_TRIES, repeated_probe
from windmill.calling.resizable_semaphore import ResizableSemaphore
from windmill.calling.service_addresses import FailedAtAddress, ServiceAddresses
from windmill.core.errors import Code, WindmillError
from windmill.core.outcomes import Outcome, code_of, is_from_service, outage_of
from windmill.core.services import Service
from windmill.core.setting_parsers import Concurrency
from windmill.core.setting_parts import CallSettings
from windmill.core.settings import Settings
from windmill.core.timings import JobTimings, RecordedJobTimings
from windmill.core.wanted_states import WantedStates
from windmill.kernels.flow.adaptive_concurrency import AdaptiveConcurrencyLimit
from windmill.kernels.flow.retry_limit import FailureRate, allowed_tries

SOON_SECONDS = 1.0
Probe = Callable[[Service], Awaitable[object]]
_UNLIMITED = nullcontext()


class ServiceState:
    """One service as this process sees it. Mutable: calls report to it as they end."""

    paused: bool = False
    """Whether people want that no further job begins."""
    _wanted_calls: int | None = None

    def __init__(
        self,
        service: Service,
        settings: Settings,
        send_probe: Probe,
        *,
        connect: Probe | None = None,
        addresses: ServiceAddresses | None = None,
        fleet_slots: FleetSlots | None = None,
        watch: CanaryWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.addresses = addresses
        self.clock = clock
        self.breaker = CircuitBreaker(service.name, clock=clock)
        self.ramp_up = RampUp()
        calls = concurrency(service, settings)
        self._latency = AdaptiveConcurrencyLimit() if calls == "auto" else None
        self._fixed_calls = 0 if calls == "auto" else int(calls)
        self._old_calls = 0  # still in flight when the last outage was over
        self.slots = ResizableSemaphore(self._most_calls)
        self.counts: Counter[str] = Counter()
        self.codes: Counter[tuple[str, Code]] = Counter()
        self.steps = RecordedJobTimings() if settings.metrics_port else JobTimings()
        self.in_progress = 0
        self.urgent_jobs = 0  # of those that were counted
        self.defects = 0  # bugs of ours that its jobs ran into
        self.call_seconds = 0.1  # a moving average that starts with a guess
        self._min_tries = settings.max_retries + 1
        self._failures = FailureRate()
        self._send_probe = send_probe
        self._connect = connect
        self._fleet_slots = fleet_slots
        self.watch = watch
        if addresses and watch:
            addresses.send_probe = watch.probe_at
        self._running_probe: asyncio.Task[WindmillError | None] | None = None
        self._probe_waiters = 0
        self._doubting = 0  # calls that have failed and ask whether the service is well
        self._answer_event = asyncio.Event()
        self._latest_answered_start = float("-inf")

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def adapts_concurrency(self) -> bool:
        """Whether the concurrency limit is adaptive."""
        return self._latency is not None and self._wanted_calls is None

    def want(self, wanted: WantedStates) -> None:
        """Begin no further job while people want a pause, and make as many calls at once as they want."""
        self.paused = wanted.pause_of(self.name) is not None
        calls, most = wanted.concurrency_of(self.name), self.service.fleet_concurrency
        self._wanted_calls = calls if calls is None or most is None else min(calls, most)
        self._resize()

    async def __aenter__(self) -> "ServiceState":
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Free what this process holds of the fleet's slots."""
        if self._fleet_slots:
            await self._fleet_slots.__aexit__(*raised)

    @property
    def blind(self) -> bool:
        """Whether it, or one of its addresses, no longer finds what it found before."""
        breakers = [self.breaker, *(one.breaker for one in self.addresses or ())]
        return any(one.reason is not None and one.reason.code == "SERVICE_BLIND" for one in breakers)

    def fleet_slot(self) -> AbstractAsyncContextManager[None]:
        """What the call of a job has to hold besides one of `slots`: a slot of the whole fleet, if the service takes
        few calls at once. Probes take one themselves."""
        return self._fleet_slots.slot() if self._fleet_slots else _UNLIMITED

    def answered(self, began: float, calls: int, *, first_try: bool) -> None:
        """Record an answer to a call that started at `began` as one of `calls` in flight."""
        now = self.clock()
        self._latest_answered_start = max(self._latest_answered_start, began)
        self._answer_event.set()
        self.call_seconds += (now - began - self.call_seconds) / 50
        self.steps.called(now - began)
        if first_try:
            self._failures.note(failed=False)
        if self._latency:
            self._latency.answered(now - began, calls)
        if self.breaker.state != "open":
            self.ramp_up.answered(self._most_calls)
        self._resize()

    def failed(self, *, first_try: bool) -> None:
        """Record a failed job of a healthy service."""
        if first_try:
            self._failures.note(failed=True)

    def overloaded(self) -> None:
        """Record an overload or a timeout: lower the concurrency limit."""
        if self._latency:
            self._latency.overloaded()
            self._resize()

    @property
    def _most_calls(self) -> int:
        """The number of calls in flight that the service takes while all is well."""
        return self._wanted_calls or (self._latency.limit if self._latency else self._fixed_calls)

    def _resize(self) -> None:
        size = self.ramp_up.allowed(self._most_calls, self._old_calls)
        if size != self.slots.size:
            self.slots.resize(size)

    def count(self, outcome: Outcome) -> None:
        """Count the outcome of a job once it is settled, with its error code if there is one."""
        name = type(outcome).__name__
        self.counts[name] += 1
        if name != "Stored" and (code := code_of(outcome)):
            self.codes[name, code] += 1

    def update_breaker(self, outcome: Outcome) -> bool:
        """Update the breaker from an outcome; returns whether its state may have changed."""
        if outage := outage_of(outcome):
            if outage.code != "DEFECT" and self.addresses and self.addresses.can_fail_over():
                return False  # one of its addresses is away, and the others go on
            if self.breaker.state != "open":
                self.ramp_up.outage_began(self.clock())
            self.breaker.trip(outage)
            return True
        if self.breaker.state == "half-open" and is_from_service(outcome):
            self.breaker.answered()
            return True
        return self.ramp_up.limit is not None

    def half_open(self) -> None:
        """The service is back: let a few jobs through."""
        self._old_calls = self.slots.taken
        self.breaker.half_open()
        self._resize()

    def tries(self, promised: int) -> int:
        """How many tries a job gets now, and no fewer than it was promised: the service may have recovered since, or
        the process that saw its failures may have ended."""
        return max(promised, allowed_tries(self._failures.rate, self._min_tries))

    async def find_outage(self, error: WindmillError) -> WindmillError | None:
        """Decide whether the service caused this error: returns its error for the probe image, or None if it is
        healthy.

        It is healthy if it answers any call that starts from now on. Answers to earlier calls prove nothing: a service
        that crashes with several calls in flight may still finish some of them.
        Jobs that ask at the same time share one probe. Of several addresses the one that failed is probed."""
        if self.addresses and isinstance(error, FailedAtAddress):
            return await self.addresses.find_outage(error)
        self._doubting += 1
        try:
            if await self._answers_another():
                return None
            # Another job may have found the outage, and it may be over already.
            found = self.breaker.reason if self.breaker.state == "open" else await self._shared_probe()
        finally:
            self._doubting -= 1
        # A service that rejects the probe image has read it, so it is up, unless it rejects everything.
        return None if found and found.code == "SERVICE_REJECTED" != error.code else found

    async def _answers_another(self) -> bool:
        """Whether a call of another job that starts from now on is answered soon. When all calls in flight have failed,
        there is none to wait for."""
        now = self.clock()
        self._answer_event.set()
        if self.slots.taken <= self._doubting:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(2 * self.call_seconds, SOON_SECONDS)):
                while self._latest_answered_start < now and self.slots.taken > self._doubting:
                    self._answer_event.clear()
                    await self._answer_event.wait()
        return self._latest_answered_start >= now

    async def _shared_probe(self) -> WindmillError | None:
        running = self._running_probe = self._running_probe or asyncio.create_task(self.probe())
        self._probe_waiters += 1
        try:
            return await asyncio.shield(running)
        finally:
            self._probe_waiters -= 1
            if not self._probe_waiters:
                running.cancel()  # everyone who waited for it was cancelled
                self._running_probe = None

    async def probe_for_recovery(self) -> WindmillError | None:
        """Whether a service that is away is back: None, or what is still wrong.

        One that flaps gets jobs as soon as it takes a connection: a probe may take as long as the service stays."""
        reason = self.breaker.reason
        if self._connect and reason and not reason.reached and self.ramp_up.flaps:
            try:
                await self._connect(self.service)
            except WindmillError as error:
                return error
            return None
        found = await self.probe(1)
        if found is None:
            self.ramp_up.probe_answered()
        return found

    async def probe(self, times: int = PROBE_TRIES) -> WindmillError | None:
        """Send the probe image, up to `times` times while the error may be temporary; returns the last error, or
        None."""
        return await repeated_probe(lambda: self._send_probe(self.service), times)


def concurrency(service: Service, settings: CallSettings) -> Concurrency:
    """The concurrency limit of this process for the service, no more than that of the fleet."""
    calls = settings.worker_concurrency or service.concurrency
    if service.fleet_concurrency is None:
        return calls
    return service.fleet_concurrency if calls == "auto" else min(calls, service.fleet_concurrency)
