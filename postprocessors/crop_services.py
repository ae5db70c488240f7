"""Calls services with crops, with the same breakers, probes and concurrency limits as a worker."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from postprocessors.box_calls import BoxCall
from windmill.calling.canary_watch import CanaryTable
from windmill.calling.fleet_slots import SlotTable
from windmill.calling.job_handler import JobHandler
from windmill.calling.prober import Prober
from windmill.calling.service_client import ServiceClient
from windmill.calling.service_setup import new_service_state
from windmill.calling.service_state import ServiceState
from windmill.core.messages import History
from windmill.core.outcomes import RetryLater, Tried, Unavailable
from windmill.core.services import Service
from windmill.core.settings import Settings
from windmill.process.runner import background

PROBE_SECONDS = 1.0
MIN_WAIT_SECONDS = 1.0
MAX_REMEMBERED = 10_000


class CropServices:
    """The services that take crops, with their state. Enter it with `async with`: it probes those that are away."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        client: ServiceClient,
        slot_table: SlotTable,
        canary_table: CanaryTable,
        *,
        clock: Callable[[], float] = time.monotonic,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        # WORKER_CONCURRENCY is for workers of one service; these are several.
        own = replace(settings, worker_concurrency=0)
        self.states: dict[str, ServiceState] = {
            service.name: new_service_state(service, own, client, slot_table, canary_table, clock=clock)
            for service in services
        }
        self._handler = JobHandler(_jpeg_of, client, _no_fault)
        self._probers = [Prober(state) for state in self.states.values()]
        self._outages: Counter[tuple[int, str, str]] = Counter()
        self._probe_seconds = probe_seconds
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "CropServices":
        for state in self.states.values():
            await self._opened.enter_async_context(state)
        await self._opened.enter_async_context(background(self._probe()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def is_available(self, service: str) -> bool:
        """Whether a call may begin now."""
        return _is_available(self.states[service])

    def seconds_until_available(self, service: str) -> float:
        """Seconds until a call may begin; 0 when it may now."""
        return _seconds_until_available(self.states[service])

    def seconds_until_any_available(self) -> float:
        """Seconds until any service may be called; 0 while one may."""
        return min((_seconds_until_available(state) for state in self.states.values()), default=0.0)

    async def call(self, box_call: BoxCall) -> Tried | None:
        """Call the service once a slot is free; None when the service is away by then."""
        state = self.states[box_call.service]
        async with state.slots:
            if not _is_available(state):
                return None
            state.in_progress += 1
            try:
                past = History(box_call.attempt, self._outages[_key(box_call)])
                outcome = await self._handler.handle(state, box_call, past)
            finally:
                state.in_progress -= 1
            # While the slot is still held, so that no call starts before the breaker knows of the outage.
            state.update_breaker(outcome)
        state.count(outcome)
        self._remember(box_call, outcome)
        return outcome

    def _remember(self, box_call: BoxCall, outcome: Tried) -> None:
        """Count the outages that hit this crop and its refusals, so one that crashes the service or that it never takes
        finally fails. In memory only."""
        refused = isinstance(outcome, RetryLater) and outcome.refused
        if refused or (isinstance(outcome, Unavailable) and outcome.in_hand):
            self._outages[_key(box_call)] += 1
            if len(self._outages) > MAX_REMEMBERED:
                del self._outages[next(iter(self._outages))]
        elif not isinstance(outcome, Unavailable):
            self._outages.pop(_key(box_call), None)

    async def _probe(self) -> None:
        """Probe services that are away."""
        try:
            while True:
                for prober, state in zip(self._probers, self.states.values(), strict=True):
                    if not state.paused:
                        prober.probe_when_due()
                await asyncio.sleep(self._probe_seconds)
        finally:
            for prober in self._probers:
                prober.close()


def _key(box_call: BoxCall) -> tuple[int, str, str]:
    return box_call.image_id, box_call.box_key, box_call.service


async def _jpeg_of(box_call: BoxCall) -> bytes:
    assert box_call.crop
    return box_call.crop.jpeg


async def _no_fault(_: bytes) -> None:
    """A crop comes from an image that could be decoded."""


def _is_available(state: ServiceState) -> bool:
    """While half-open, one trial call runs and the others wait for its outcome."""
    breaker = state.breaker.state
    return not state.paused and (breaker == "closed" or (breaker == "half-open" and not state.in_progress))


def _seconds_until_available(state: ServiceState) -> float:
    return 0.0 if _is_available(state) else max(state.breaker.seconds_left(), MIN_WAIT_SECONDS)
