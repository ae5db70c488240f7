"""What one process knows of one service: whether it is well, how many calls it bears, what came of them.

It lives as long as the process, and not as long as a session with the broker: calls go on when the broker is lost.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from windmill.calling.breaker import Breaker
from windmill.calling.slots import Slots
from windmill.core.errors import Code, WindmillError, unexpected
from windmill.core.measures import MeasuredSteps, Steps
from windmill.core.outcomes import Outcome, code_of, is_from_service, outage_of
from windmill.core.services import Service
from windmill.core.setting_parts import CallSettings
from windmill.core.setting_values import Concurrency
from windmill.core.settings import Settings
from windmill.kernels.flow.concurrency import LatencyLimit
from windmill.kernels.flow.patience import FailureRate, tries

PROBES = 5
SOON_SECONDS = 1.0
Probe = Callable[[Service], Awaitable[object]]


class ServiceState:
    """One service as this process sees it."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        probe: Probe,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.clock = clock
        self.breaker = Breaker(service.name, clock=clock)
        calls = concurrency(service, settings)
        self._latency = LatencyLimit() if calls == "auto" else None
        self.slots = Slots(self._latency.limit if self._latency else int(calls))
        self.counts: Counter[str] = Counter()
        self.codes: Counter[tuple[str, Code]] = Counter()
        self.steps = MeasuredSteps() if settings.metrics_port else Steps()
        self.in_progress = 0
        self.defects = 0  # faults of ours that were met at its jobs
        self.call_seconds = 0.1  # a moving average, with a guess to begin with
        self._least_tries = settings.max_retries + 1
        self._failures = FailureRate()
        self._probe = probe
        self._question: asyncio.Task[WindmillError | None] | None = None
        self._asking = 0
        self._another = asyncio.Event()
        self._answered_began = float("-inf")

    @property
    def finds_its_concurrency(self) -> bool:
        """Whether the number of calls at a time is not fixed."""
        return self._latency is not None

    def answered(self, began: float, calls: int, *, first_try: bool) -> None:
        """A job was answered; it began then, as one of so many calls at a time."""
        now = self.clock()
        self._answered_began = max(self._answered_began, began)
        self._another.set()
        self.call_seconds += (now - began - self.call_seconds) / 50
        self.steps.called(now - began)
        if first_try:
            self._failures.note(failed=False)
        if self._latency:
            self._latency.answered(now - began, calls)
            self.slots.resize(self._latency.limit)

    def failed(self, *, first_try: bool) -> None:
        """A job failed though the service is well."""
        if first_try:
            self._failures.note(failed=True)

    def too_much(self) -> None:
        """The service was overloaded, or gave no answer in time."""
        if self._latency:
            self._latency.overloaded()
            self.slots.resize(self._latency.limit)

    def count(self, outcome: Outcome) -> None:
        """Note what became of a job, once it is safe; of those that were not stored also why."""
        name = type(outcome).__name__
        self.counts[name] += 1
        if name != "Stored" and (code := code_of(outcome)):
            self.codes[name, code] += 1

    def heed(self, outcome: Outcome) -> bool:
        """Let the breaker know what an outcome says of the service; whether that may change what it lets through."""
        if outage := outage_of(outcome):
            self.breaker.trip(outage)
            return True
        if self.breaker.state == "half-open" and is_from_service(outcome):
            self.breaker.answered()
            return True
        return False

    def tries(self, promised: int) -> int:
        """How many tries a job gets as things are, and no fewer than it was promised: a service that was ill may be
        well again, or its failures forgotten with the process that saw them."""
        return max(promised, tries(self._failures.rate, self._least_tries))

    async def doubt(self, error: WindmillError) -> WindmillError | None:
        """Whether it is the service that failed with this error: then what it says to a good picture, and else None.

        It is well when it answers anything that it is asked from now on. What it was asked before says nothing of an
        outage that begins, though its answer may come later than the failure: a service that dies or goes wrong while
        it has several calls in hand may still finish some of them.
        Many jobs may ask at once; one question is asked for all of them."""
        if self.slots.taken > 1 and await self._answers_another():
            return None
        # It may have been found to be away by another job, and be back already.
        met = self.breaker.reason if self.breaker.state == "open" else await self._one_answer()
        # One that refuses our picture has read it, and so is up; unless refusing is what it does with everything.
        return None if met and met.code == "SERVICE_REJECTED" != error.code else met

    async def _answers_another(self) -> bool:
        """Whether another job, whose call begins from now on, is answered soon."""
        now = self.clock()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(2 * self.call_seconds, SOON_SECONDS)):
                while self._answered_began < now:
                    self._another.clear()
                    await self._another.wait()
                return True
        return False

    async def _one_answer(self) -> WindmillError | None:
        question = self._question = self._question or asyncio.create_task(self.ask())
        self._asking += 1
        try:
            return await asyncio.shield(question)
        finally:
            self._asking -= 1
            if not self._asking:
                question.cancel()  # who wanted to know was cancelled, too
                self._question = None

    async def ask(self, times: int = PROBES) -> WindmillError | None:
        """Let the service look at a picture that is known to be good; moments of weakness are forgiven."""
        met: WindmillError | None = None
        for _ in range(times):
            try:
                await self._probe(self.service)
            except WindmillError as error:
                met = error
                if error.retry != "later" or error.code == "SERVICE_TIMEOUT":
                    return error
            except Exception as error:  # noqa: BLE001 - said by the handler, which met it with a job first
                met = unexpected(error)
            else:
                return None
        return met


def concurrency(service: Service, settings: CallSettings) -> Concurrency:
    """Calls at a time from this process."""
    return settings.worker_concurrency or service.concurrency
