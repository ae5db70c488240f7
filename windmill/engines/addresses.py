"""The addresses of an engine: requests go to the one with the fewest in hand, and to none that is away."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from windmill.calling.http1 import HttpServer
from windmill.calling.service_addresses import FailedAtAddress, SendProbe, ServiceAddress, ServiceAddresses
from windmill.core.errors import WindmillError
from windmill.core.service_urls import ServiceUrl


class EngineAddresses:
    """The breakers and the choice are those of services. There is no loop that probes: who comes with a request looks
    after the addresses that are away, and waits for that only if there is no other."""

    def __init__(
        self,
        name: str,
        urls: Sequence[ServiceUrl],
        send_probe: SendProbe,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        servers = [(url, HttpServer(url.host, url.port)) for url in urls]
        self._all = ServiceAddresses(name, servers, send_probe, clock=clock)
        self._looking: dict[ServiceAddress, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[ServiceAddress]:
        return iter(self._all)

    @property
    def away(self) -> int:
        """How many get no requests now."""
        return sum(one.is_open for one in self._all)

    @property
    def several(self) -> bool:
        return self._all.several

    async def pick(self) -> ServiceAddress:
        """The address for the next request; raises when all are away."""
        for address in self._all.due():
            if address not in self._looking or self._looking[address].done():
                self._looking[address] = asyncio.ensure_future(self._look(address))
        looking = [one for one in self._looking.values() if not one.done()]
        if looking and all(one.is_open for one in self._all):
            await asyncio.wait(looking, return_when=asyncio.FIRST_COMPLETED)
        return self._all.pick()

    @contextmanager
    def calling(self, address: ServiceAddress) -> Iterator[None]:
        """While a request is with the address. It is back once it has answered."""
        address.in_flight += 1
        address.calls += 1
        try:
            yield
        finally:
            address.in_flight -= 1
        address.breaker.answered()

    async def is_away(self, address: ServiceAddress, error: WindmillError) -> bool:
        """Whether a failure means that the address is away, so that another may do better. One that says itself that it
        takes nothing now is believed, and of any other failure its probe decides."""
        if not self.several or error.retry == "never":
            return False
        if error.retry == "pause":
            address.breaker.trip(error)
            return True
        return await self._all.find_outage(FailedAtAddress(error, address)) is not None

    def close(self) -> None:
        """Cancel the probes in flight."""
        self._all.close()
        for one in self._looking.values():
            one.cancel()

    async def _look(self, address: ServiceAddress) -> None:
        """An address that answers gets one request."""
        error = await self._all.probe(address, 1)
        if error:
            address.breaker.prolong(error)
        else:
            address.breaker.half_open()
