"""Health probes of a service whose circuit breaker is open."""

import asyncio
from collections.abc import Callable

from windmill.calling.service_addresses import FailedAtAddress, ServiceAddress, ServiceAddresses
from windmill.calling.service_state import ServiceState
from windmill.core.outcomes import Unavailable


class Prober:
    """Probes one service, or the addresses of it that are away; calls `on_result` after each probe."""

    def __init__(self, state: ServiceState, on_result: Callable[[], None] = lambda: None) -> None:
        self._state = state
        self._on_result = on_result
        self._probe: asyncio.Task[None] | None = None
        self._at_addresses: dict[ServiceAddress, asyncio.Task[None]] = {}

    def probe_when_due(self) -> None:
        """Start a probe if the breaker is open and its backoff is over; one probe at a time. Of several addresses each
        has its own. Show the canary to a service that works, now and then."""
        addresses = self._state.addresses
        if addresses and addresses.several:
            self._probe_addresses(addresses)
            if not addresses.can_fail_over():
                return
        breaker = self._state.breaker
        due = breaker.state == "open" and not breaker.seconds_left()
        if self._probe is not None and not self._probe.done():
            return
        if due:
            self._probe = asyncio.create_task(self._run())
        elif breaker.state != "open" and self._state.watch and self._state.watch.due():
            self._probe = asyncio.create_task(self._show_canary())

    async def _run(self) -> None:
        """The service has to show that it is back before it gets a job."""
        async with self._state.slots:
            error = await self._state.probe_for_recovery()
        if error and error.code != "SERVICE_REJECTED":
            self._state.breaker.prolong(error)
        else:
            self._state.half_open()
        self._on_result()

    def _probe_addresses(self, addresses: ServiceAddresses) -> None:
        for address in addresses.due():
            running = self._at_addresses.get(address)
            if running is None or running.done():
                self._at_addresses[address] = asyncio.create_task(self._probe_address(addresses, address))

    async def _probe_address(self, addresses: ServiceAddresses, address: ServiceAddress) -> None:
        """The address that answers gets one job, and with it the service, if it was away altogether."""
        async with self._state.slots:
            error = await addresses.probe(address, 1)
        if error and error.code != "SERVICE_REJECTED":
            address.breaker.prolong(error)
            return
        address.breaker.half_open()
        if self._state.breaker.state == "open":
            self._state.half_open()
        self._on_result()

    async def _show_canary(self) -> None:
        """Whether a service that answers also sees; other errors are for jobs to meet."""
        async with self._state.slots:
            error = await self._state.probe(2)
        if error and error.code == "SERVICE_BLIND":
            if isinstance(error, FailedAtAddress):
                error.address.breaker.trip(error)
            self._state.update_breaker(Unavailable(error))
            self._on_result()

    def close(self) -> None:
        """Cancel the probes in flight."""
        for probe in (self._probe, *self._at_addresses.values()):
            if probe:
                probe.cancel()
