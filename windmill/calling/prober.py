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
        """Start a probe if the breaker is open and its backoff is over; one probe at a time."""
        breaker = self._state.breaker
        due = breaker.state == "open" and not breaker.seconds_left()
        if due and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """The service has to show that it is back before it gets a job."""
        async with self._state.slots:
            error = await self._state.probe_for_recovery()
        if error and error.code != "SERVICE_REJECTED":
            self._state.breaker.prolong(error)
        else:
            self._state.half_open()
        self._on_result()

    def close(self) -> None:
        """Cancel a probe in flight."""
        if self._probe:
            self._probe.cancel()
