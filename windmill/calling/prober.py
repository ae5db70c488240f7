"""Health probes of a service whose circuit breaker is open."""

import asyncio
from collections.abc import Callable

from windmill.calling.service_state import ServiceState


class Prober:
    """Probes one service; calls `on_result` after each probe."""

    def __init__(self, state: ServiceState, on_result: Callable[[], None] = lambda: None) -> None:
        self._state = state
        self._on_result = on_result
        self._probe: asyncio.Task[None] | None = None

    def probe_when_due(self) -> None:
        """Start a probe if the breaker is open and its backoff is over; one probe at a time.
        Show the canary to a service that works, now and then."""
        breaker = self._state.breaker
        due = breaker.state == "open" and not breaker.seconds_left()
        if self._probe is not None and not self._probe.done():
            return
        if due:
            self._probe = asyncio.create_task(self._run())
        elif breaker.state != "open" and self._state.watch and self._state.watch.due():
            self._probe = asyncio.create_task(self._show_canary())

    async def _run(self) -> None:
        """The service has to answer the probe image before it gets a job."""
        async with self._state.slots:
            error = await self._state.probe(1)
        if error and error.code != "SERVICE_REJECTED":
            self._state.breaker.prolong(error)
        else:
            self._state.breaker.half_open()
        self._on_result()

    async def _show_canary(self) -> None:
        """Whether a service that answers also sees; other errors are for jobs to meet."""
        async with self._state.slots:
            error = await self._state.probe(2)
        if error and error.code == "SERVICE_BLIND":
            self._state.breaker.trip(error)
            self._on_result()

    def close(self) -> None:
        """Cancel a probe in flight."""
        if self._probe:
            self._probe.cancel()
