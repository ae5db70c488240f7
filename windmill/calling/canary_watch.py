"""Watching one service by its canary: when to show it, and what it means that the service does not find it.

A service is blind if it does not find what it, or its like in another process, found before. One that has never found
its canary may be unable to, and is left alone.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from windmill.calling.canaries import finds_canary, finds_something, image_for_probes, predictions_of
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

    async def upload(self, service: Service, image: bytes) -> Stored: ...


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = service.canary
        self._client = client
        self._table = table
        self._seconds = seconds
        self._clock = clock
        self._asked_at = float("-inf")
        self._answers = self._empty = 0
        self._misses = 0
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
        """Send the probe image; raises SERVICE_BLIND if it is a canary that the service no longer finds."""
        self._asked_at = began = self._clock()
        self._answers = self._empty = 0
        if not self._kind:
            await self._client.upload(service, image_for_probes(service))
        elif finds_canary(self._kind, predictions_of(await self._client.upload(service, image_for_probes(service)))):
            self._misses = 0
            await self._note_found(service, self._kind, self._clock() - began)
        else:
            await self._missed(service, self._kind)

    async def _missed(self, service: Service, kind: CanaryKind) -> None:
        """Once may be a mishap, twice in a row is not."""
        self._misses += 1
        if self._misses == 1:
            raise WindmillError(
                "BAD_RESPONSE", f"{service.name} did not find {kind} in the picture of probes", retry="later"
            )
        if await self._note_missed(service):
            said = f"{service.name} finds nothing in a picture in which it found {kind} before"
            raise WindmillError("SERVICE_BLIND", said)

    async def _note_found(self, service: Service, kind: CanaryKind, seconds: float) -> None:
        self._found_before = True
        try:
            self._unsettled = await self._table.found(service.name, kind, seconds)
        except WindmillError as error:
            logger.debug("a canary could not be noted: %s", error)

    async def _note_missed(self, service: Service) -> bool:
        try:
            return await self._table.missed(service.name)
        except WindmillError as error:
            logger.debug("a canary could not be noted: %s", error)
            return self._found_before
