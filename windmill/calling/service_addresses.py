"""The addresses of one service: calls go to the one with the fewest in flight, and to none that is away.

A service with one address has no breaker here: that of the service decides. With several, each has its own. The service
is away once all of them are.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count

from windmill.calling.circuit_breaker import CircuitBreaker
from windmill.calling.http1 import HttpServer
from windmill.calling.repeated_probe import repeated_probe
from windmill.core.errors import WindmillError
from windmill.core.service_urls import ServiceUrl

_SCARCE = "start the service at its addresses in SERVICE_CONFIG, or correct them"


class ServiceAddress:
    """One address of a service, with its calls in flight. Mutable."""

    def __init__(self, service: str, url: ServiceUrl, server: HttpServer, clock: Callable[[], float]) -> None:
        self.url = url
        self.server = server
        self.breaker = CircuitBreaker(f"{service} at {url.origin}{url.prefix}", clock=clock)
        self.in_flight = 0
        self.calls = 0
        self.last_picked = 0
        self.running_probe: asyncio.Task[WindmillError | None] | None = None

    @property
    def is_open(self) -> bool:
        return self.breaker.state == "open"

    @property
    def takes_calls(self) -> bool:
        """While half-open, one trial call runs, and the others go elsewhere."""
        return self.breaker.state == "closed" or (self.breaker.state == "half-open" and not self.in_flight)


class FailedAtAddress(WindmillError):
    """A call failed at one of several addresses, which has to be probed: the others may be well."""

    def __init__(self, error: WindmillError, address: ServiceAddress) -> None:
        super().__init__(error.code, error.message, error.remedy, error.retry, error.retry_after)
        self.address = address


SendProbe = Callable[[ServiceAddress], Awaitable[object]]


class ServiceAddresses:
    """All addresses of one service in one process; never empty."""

    def __init__(
        self,
        service: str,
        servers: Sequence[tuple[ServiceUrl, HttpServer]],
        send_probe: SendProbe,
        *,
        surplus_connections: Callable[[HttpServer], int] = lambda _: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._all = [ServiceAddress(service, url, server, clock) for url, server in servers]
        self.send_probe = send_probe
        self._surplus_connections = surplus_connections
        self._sequence = count(1)
        self.several = len(self._all) > 1

    def __iter__(self) -> Iterator[ServiceAddress]:
        return iter(self._all)

    def pick(self) -> ServiceAddress:
        """The address for the next call: that with the fewest calls in flight, of equals the one whose turn it is.
        Raises when all are away."""
        if not self.several:
            return self._all[0]
        ready = [one for one in self._all if one.takes_calls] or [one for one in self._all if not one.is_open]
        if not ready:
            raise self._all_away()
        chosen = min(ready, key=lambda one: (one.in_flight, one.last_picked))
        chosen.last_picked = next(self._sequence)
        return chosen

    def _all_away(self) -> WindmillError:
        reason = next((one.breaker.reason for one in self._all if one.breaker.reason), None)
        said = f"all {len(self._all)} addresses of {self._service} are away"
        if reason is None:
            return WindmillError("SERVICE_UNREACHABLE", said, _SCARCE, reached=False)
        wait = min((one.breaker.seconds_left() for one in self._all), default=0.0)
        return WindmillError(reason.code, f"{said}; {reason.message}", reason.remedy, "pause", wait, reached=False)

    def can_fail_over(self) -> bool:
        """Whether one of several addresses may be called: then the service is not away, whatever failed."""
        return self.several and not all(one.is_open for one in self._all)

    async def find_outage(self, failure: FailedAtAddress) -> WindmillError | None:
        """Decide whether the address caused the failure; if so, its breaker opens, and its error is returned."""
        breaker = failure.address.breaker
        found = breaker.reason if breaker.state == "open" else await self.probe(failure.address)
        if found is None or (found.code == "SERVICE_REJECTED" != failure.code):
            return None
        breaker.trip(found)
        return found

    async def probe(self, address: ServiceAddress, times: int | None = None) -> WindmillError | None:
        """Probe one address; those who ask at the same time share the probe."""
        task = address.running_probe
        if task is None or task.done():
            task = asyncio.create_task(repeated_probe(lambda: self.send_probe(address), times))
            address.running_probe = task
        return await asyncio.shield(task)

    def due(self) -> list[ServiceAddress]:
        """The addresses that are away and have to be probed now."""
        away = [one for one in self._all if self.several and one.is_open]
        return [one for one in away if not one.breaker.seconds_left()]

    @property
    def surplus_connections(self) -> int:
        """Connections that were closed because more came over them than the replies to their requests."""
        return sum(self._surplus_connections(server) for server in {one.server for one in self._all})

    def close(self) -> None:
        """Cancel the probes in flight."""
        for one in self._all:
            if one.running_probe:
                one.running_probe.cancel()
