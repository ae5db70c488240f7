"""Calls services with crops, with the same breakers, probes and concurrency limits as a worker."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from postprocessors.showing import Showing
from windmill.calling.canary import CANARY
from windmill.calling.handler import Caller, Handler
from windmill.calling.prober import Prober
from windmill.calling.service_state import ServiceState
from windmill.core.messages import Past
from windmill.core.outcomes import Tried, Unavailable
from windmill.core.services import Service
from windmill.core.settings import Settings
from windmill.process.runner import background

WATCH_SECONDS = 1.0
LEAST_WAIT_SECONDS = 1.0
MOST_REMEMBERED = 10_000


class CropServices:
    """What a process knows of the services that look at crops: `async with` it, so that those that are away are asked
    whether they are back."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        client: Caller,
        *,
        clock: Callable[[], float] = time.monotonic,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        # WORKER_CONCURRENCY is meant for one service's worker; here are several, of which pose bears a single call.
        own = replace(settings, worker_concurrency=0)
        self.states = {
            service.name: ServiceState(service, own, lambda one: client.upload(one, CANARY), clock=clock)
            for service in services
        }
        self._handler = Handler(_jpeg_of, client, _never_at_fault)
        self._probers = [Prober(state) for state in self.states.values()]
        self._outages: Counter[tuple[int, str, str]] = Counter()
        self._watch_seconds = watch_seconds
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "CropServices":
        await self._opened.enter_async_context(background(self._watch()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def may_be_asked(self, service: str) -> bool:
        """Whether a call may begin."""
        return _may_be_asked(self.states[service])

    def seconds_until_asked(self, service: str) -> float:
        """In how many seconds a call may begin; 0 when it may now."""
        return _seconds_until_asked(self.states[service])

    def rest_seconds(self) -> float:
        """In how many seconds any of the services may be asked; 0 while one may."""
        return min((_seconds_until_asked(state) for state in self.states.values()), default=0.0)

    async def ask(self, showing: Showing) -> Tried | None:
        """One call, when its turn comes; None when the service may not be asked then."""
        state = self.states[showing.service]
        async with state.slots:
            if not _may_be_asked(state):
                return None
            state.in_progress += 1
            try:
                past = Past(showing.attempt, self._outages[_place(showing)])
                outcome = await self._handler.handle(state, showing, past)
            finally:
                state.in_progress -= 1
            # While the slot is still held, so that no call starts between an outage and its notice.
            state.heed(outcome)
        state.count(outcome)
        self._remember(showing, outcome)
        return outcome

    def _remember(self, showing: Showing, outcome: Tried) -> None:
        """How often the service went away while it had this crop in hand. One that takes it away each time is given up
        in the end, though not while processes come and go: they remember it no longer than they live."""
        if not isinstance(outcome, Unavailable):
            self._outages.pop(_place(showing), None)
        elif outcome.in_hand:
            self._outages[_place(showing)] += 1
            if len(self._outages) > MOST_REMEMBERED:
                del self._outages[next(iter(self._outages))]

    async def _watch(self) -> None:
        """Ask services that are away whether they are back."""
        try:
            while True:
                for prober in self._probers:
                    prober.ask_when_due()
                await asyncio.sleep(self._watch_seconds)
        finally:
            for prober in self._probers:
                prober.close()


def _place(showing: Showing) -> tuple[int, str, str]:
    return showing.image_id, showing.box_key, showing.service


async def _jpeg_of(showing: Showing) -> bytes:
    assert showing.crop
    return showing.crop.jpeg


def _never_at_fault(_: bytes) -> None:
    """A crop was made here, out of an image that could be decoded."""


def _may_be_asked(state: ServiceState) -> bool:
    """While half-open one call tries the service, and others wait for what comes of it."""
    breaker = state.breaker.state
    return breaker == "closed" or (breaker == "half-open" and not state.in_progress)


def _seconds_until_asked(state: ServiceState) -> float:
    return 0.0 if _may_be_asked(state) else max(state.breaker.seconds_left(), LEAST_WAIT_SECONDS)
