"""Watching one service by its canary: when to show it, and what it means that the service does not find it.

A service is blind if it does not find what it, or its like in another process, found before. One that has never found
its canary may be unable to, and is left alone.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from windmill.calling.canaries import finds_canary, finds_something, image_for_probes, predictions_of
from windmill.calling.service_addresses import FailedAtAddress, ServiceAddress, ServiceAddresses
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Stored
from windmill.core.services import CanaryKind, Service

logger = logging.getLogger(__name__)

EMPTY_IN_A_ROW = 20
"""After so many empty answers the canary does not wait for its time."""
SOON_SECONDS = 5.0
SETTLE_SECONDS = 10.0
"""After a recovery: until answers that were under way are committed and can be judged."""


class Uploader(Protocol):
    """The part of a service client that a watch needs."""

    async def upload(self, service: Service, image: bytes, at: ServiceAddress | None = None) -> Stored: ...


class CanaryTable(Protocol):
    """What the fleet knows of canaries; its methods raise WindmillError while the database is away."""

    async def found(self, service: str, kind: CanaryKind, seconds_ago: float) -> bool:
        """Note that the canary was found; True while answers of a blindness that ended are still to be judged."""
        ...

    async def missed(self, service: str) -> bool:
        """Note that it was not found; returns whether it ever was."""
        ...


class CanaryWatch:
    """Probes of one service, and with a canary its sight. `seconds` between canaries while it works; 0 for none."""

    def __init__(
        self,
        service: Service,
        client: Uploader,
        table: CanaryTable,
        seconds: float,
        *,
        addresses: ServiceAddresses | None = None,
        slot: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`slot` is what each call needs, if the service takes few at once."""
        self._service = service
        self._kind = service.canary
        self._addresses = addresses
        self._slot = slot
        self._client = client
        self._table = table
        self._seconds = seconds
        self._clock = clock
        self._asked_at = float("-inf")
        self._answers = self._empty = 0
        self._misses: Counter[ServiceAddress | None] = Counter()
        self._blind: set[ServiceAddress] = set()
        self._unsettled = False
        self._found_before = False

    def answered(self, stored: Stored) -> None:
        """Take note of an answer to a job."""
        if self._kind and self._seconds:
            self._answers += 1
            self._empty = 0 if finds_something(self._kind, predictions_of(stored)) else self._empty + 1

    def due(self) -> bool:
        """Whether to show the canary now: seldom, and only to a service that works."""
        since = self._clock() - self._asked_at
        if self._unsettled:
            return since >= SETTLE_SECONDS
        if self._empty >= EMPTY_IN_A_ROW and since >= SOON_SECONDS:
            return True
        return self._answers > 0 and since >= self._seconds

    async def probe(self, service: Service) -> None:
        """Send the probe image; raises SERVICE_BLIND if it is a canary that the service no longer finds. Of several
        addresses each that is not away is shown the canary: one may be blind while the others see. While this process
        knows one to be blind, the service has not found its canary, as other processes may still call that one; only
        what was answered until now can be judged."""
        self._asked_at = began = self._clock()
        self._answers = self._empty = 0
        if not self._kind:
            await self._upload(None)
            return
        found = [await self._sees(self._kind, address) for address in self._shown()]
        if found and all(found) and (self._unsettled or not self._blind):
            await self._note_found(service, self._kind, self._clock() - began)

    async def probe_at(self, address: ServiceAddress) -> None:
        """Send the probe image to one address; raises SERVICE_BLIND if it was blind and still is."""
        stored = await self._upload(address)
        if address not in self._blind:
            return
        if self._kind and not finds_canary(self._kind, predictions_of(stored)):
            raise FailedAtAddress(self._blindness(self._kind), address)
        self._blind.discard(address)

    async def _upload(self, address: ServiceAddress | None) -> Stored:
        async with self._slot():
            return await self._client.upload(self._service, image_for_probes(self._service), address)

    def _shown(self) -> Sequence[ServiceAddress | None]:
        if self._addresses and self._addresses.several:
            return [one for one in self._addresses if not one.is_open]
        return [None]

    async def _sees(self, kind: CanaryKind, address: ServiceAddress | None) -> bool:
        """Whether the canary is found. Once may be a mishap, twice in a row is not, unless it never was found."""
        stored = await self._upload(address)
        if finds_canary(kind, predictions_of(stored)):
            self._misses[address] = 0
            return True
        self._misses[address] += 1
        if self._misses[address] == 1:
            said = f"{self._service.name} did not find {kind} in the picture of probes"
            raise _at(address, WindmillError("BAD_RESPONSE", said, retry="later"))
        if await self._note_missed(self._service):
            if address:
                self._blind.add(address)
            raise _at(address, self._blindness(kind))
        return False

    def _blindness(self, kind: CanaryKind) -> WindmillError:
        said = f"{self._service.name} finds nothing in a picture in which it found {kind} before"
        return WindmillError("SERVICE_BLIND", said)

    async def _note_found(self, service: Service, kind: CanaryKind, seconds: float) -> None:
        self._found_before = True
        try:
            self._unsettled = await self._table.found(service.name, kind, seconds)
        except WindmillError as error:
            logger.debug("a canary could not be noted: %s", error)

    async def _note_missed(self, service: Service) -> bool:
        try:
            known = await self._table.missed(service.name)
        except WindmillError as error:
            logger.debug("a canary could not be noted: %s", error)
            known = self._found_before
        self._unsettled |= known
        return known


def _at(address: ServiceAddress | None, error: WindmillError) -> WindmillError:
    return FailedAtAddress(error, address) if address else error
