"""Slots for calls to a service that takes few at once: all processes of the fleet share them (`fleet_concurrency`).

A slot is a lease in PostgreSQL. A process makes call after call on one lease, and frees it when it has no call for a
moment or when its turn is over and another process waits. docs/decisions/0018 says why no call can overlap another.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from windmill.core.errors import WindmillError
from windmill.core.outages import Outage
from windmill.core.services import Service
from windmill.core.setting_parts import CallSettings

logger = logging.getLogger(__name__)

TURN_SECONDS = 2.0
"""Calls begin on a lease for so long; then another process may have it."""
IDLE_SECONDS = 0.05
"""A lease without a call is freed after this."""
FIRST_POLL_SECONDS, MAX_POLL_SECONDS = 0.01, 0.1


class SlotTable(Protocol):
    """Where the leases are; its methods raise WindmillError while the database is away."""

    async def create(self, service: str, slots: int) -> None: ...

    async def take(
        self, service: str, slots: int, process: UUID, seconds: float, lease: UUID, *, queue: bool
    ) -> int | None:
        """Lease a free slot; None if there is none, and then the process waits for its turn if it is to `queue`."""
        ...

    async def renew(self, service: str, slot: int, lease: UUID, seconds: float) -> bool:
        """Prolong the lease; False if another process waits for the slot or the lease has expired."""
        ...

    async def free(self, service: str, lease: UUID) -> None: ...


@dataclass(eq=False, slots=True)
class SlotLease:
    """A slot that this process may begin calls on until `turn_ends`. Each lease has a name of its own, so that freeing
    an old one late cannot free a new one."""

    name: UUID
    slot: int
    turn_ends: float
    calls: int = 0


def suspend_proof_clock() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class FleetSlots:
    """The fleet's slots of one service, as this process uses them."""

    def __init__(
        self,
        service: Service,
        slots: int,
        call_seconds: float,
        table: SlotTable,
        *,
        clock: Callable[[], float] = suspend_proof_clock,
    ) -> None:
        """`call_seconds` is the time-out of a call. A lease outlasts its turn by two of them: one for the last call,
        and one in which the service may go on with a call that was given up. With several addresses it is three, as a
        call that one address does not take begins anew at the next."""
        self._service = service.name
        self._slots = slots
        self._lease_seconds = TURN_SECONDS + (3 if len(service.urls) > 1 else 2) * call_seconds
        self._table = table
        self._clock = clock
        self._process = uuid4()
        self._created = False
        self._held: set[UUID] = set()
        self._unused: list[SlotLease] = []
        self._asking = asyncio.Lock()
        self._given_back = asyncio.Event()
        self._freeing: set[asyncio.Task[None]] = set()
        self._outage = Outage(f"the fleet's slots of {service.name}")

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot for one call. If the call timed out or was cancelled, the service may still work on it: then the
        lease is left to expire, and nobody calls before that."""
        lease = await self._lease()
        lease.calls += 1
        try:
            yield
        except WindmillError as error:
            if error.code == "SERVICE_TIMEOUT":
                self._held.discard(lease.name)
            else:
                await self._give_back(lease)
            raise
        except BaseException:
            self._held.discard(lease.name)
            raise
        await self._give_back(lease)

    async def __aenter__(self) -> "FleetSlots":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free the leases that no call uses; those of calls that were cut off expire."""
        unused, self._unused = self._unused, []
        for lease in unused:
            await self._free(lease.name)
        await asyncio.gather(*self._freeing)

    async def _lease(self) -> SlotLease:
        """A lease whose turn has not ended: this process may have been frozen since it was taken."""
        while True:
            lease = self._take_unused() or await self._take()
            if self._clock() < lease.turn_ends:
                return lease
            self._free_soon(lease.name)

    def _take_unused(self) -> SlotLease | None:
        while self._unused:
            lease = self._unused.pop()
            if self._clock() < lease.turn_ends:
                return lease
            self._free_soon(lease.name)
        return None

    async def _take(self) -> SlotLease:
        """Wait for a slot, also while the database is away. One call of this process asks at a time; the next one takes
        over its lease or asks in its turn."""
        seconds = FIRST_POLL_SECONDS
        async with self._asking:
            while True:
                self._given_back.clear()
                if unused := self._take_unused():
                    return unused
                try:
                    if lease := await self._try_to_take():
                        return lease
                except WindmillError as error:
                    self._created = False  # the rows may be gone when the database comes back
                    await asyncio.sleep(self._outage.failed(error))
                else:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._given_back.wait(), seconds)
                    seconds = min(1.5 * seconds, MAX_POLL_SECONDS)

    async def _try_to_take(self) -> SlotLease | None:
        """A process that holds a slot does not queue for another: it would be the next one again and again, and others
        would never be."""
        if not self._created:
            await self._table.create(self._service, self._slots)
            self._created = True
        began, name = self._clock(), uuid4()
        try:
            slot = await self._table.take(
                self._service, self._slots, self._process, self._lease_seconds, name, queue=not self._held
            )
        except asyncio.CancelledError:
            self._free_soon(name)  # PostgreSQL may have leased it already
            raise
        self._outage.over()
        if slot is None:
            return None
        self._held.add(name)
        return SlotLease(name, slot, began + TURN_SECONDS)

    async def _give_back(self, lease: SlotLease) -> None:
        """Keep the lease for the next call, which may come at once."""
        if self._clock() >= lease.turn_ends and not await self._renew(lease):
            return
        self._unused.append(lease)
        self._given_back.set()
        asyncio.get_running_loop().call_later(IDLE_SECONDS, self._free_if_unused, lease, lease.calls)

    async def _renew(self, lease: SlotLease) -> bool:
        began = self._clock()
        try:
            kept = await self._table.renew(self._service, lease.slot, lease.name, self._lease_seconds)
        except WindmillError as error:
            logger.debug("a slot could not be renewed: %s", error)
            self._free_soon(lease.name)
            return False
        lease.turn_ends = began + TURN_SECONDS
        if not kept:
            self._held.discard(lease.name)
        return kept

    def _free_if_unused(self, lease: SlotLease, calls: int) -> None:
        if lease in self._unused and lease.calls == calls:
            self._unused.remove(lease)
            self._free_soon(lease.name)

    def _free_soon(self, lease: UUID) -> None:
        self._held.discard(lease)
        task = asyncio.get_running_loop().create_task(self._free(lease))
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)

    async def _free(self, lease: UUID) -> None:
        try:
            await self._table.free(self._service, lease)
        except WindmillError as error:
            logger.debug("a slot could not be freed and expires: %s", error)


def fleet_slots(table: SlotTable, settings: CallSettings, service: Service) -> FleetSlots | None:
    """The fleet's slots of a service; None if it bears any number of callers."""
    if service.fleet_concurrency is None:
        return None
    call_seconds = settings.request_timeout or service.timeout_seconds
    return FleetSlots(service, service.fleet_concurrency, call_seconds, table)
