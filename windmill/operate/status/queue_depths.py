"""The lengths of all queues of services. Asking for them costs a round trip for each queue, so whoever serves people
asks for them in the background and shows what was told a moment ago."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings

ASK_SECONDS = 10.0
ANEW_SECONDS = 1.0
"""What is older is asked for anew, while somebody is shown it."""


@dataclass(frozen=True)
class QueueDepths:
    """By service, and how many jobs wait in the retry tiers."""

    ordinary: Mapping[str, int]
    urgent: Mapping[str, int]
    parked: Mapping[str, int]
    retrying: int


@dataclass(frozen=True)
class _Told:
    """What the broker said, or why it said nothing, and when."""

    at: float
    answer: QueueDepths | WindmillError

    def depths(self) -> QueueDepths:
        if isinstance(self.answer, WindmillError):
            raise self.answer
        return self.answer


class QueueConnection:
    """Asks over one connection, which is opened again after an error. Mutable."""

    def __init__(self, settings: BrokerSettings, services: Sequence[str], name: str) -> None:
        self._settings, self._services, self._name = settings, services, name
        self._stack = AsyncExitStack()
        self._opened: broker.Connection | None = None

    async def read(self) -> QueueDepths:
        """Raises BROKER_UNAVAILABLE."""
        try:
            with broker.translate_errors(self._settings):
                async with asyncio.timeout(ASK_SECONDS):
                    return await self._ask(self._opened or await self._open())
        except BaseException:
            # Also when cancelled: the connection may be in the middle of a reply.
            await self.close()
            raise

    async def close(self) -> None:
        self._opened = None
        with contextlib.suppress(WindmillError):
            await self._stack.aclose()

    async def _open(self) -> broker.Connection:
        self._opened = await self._stack.enter_async_context(broker.connection(self._settings, self._name))
        return self._opened

    async def _ask(self, opened: broker.Connection) -> QueueDepths:
        settings, names = self._settings, self._services
        ordinary, urgent, parked, retrying = await asyncio.gather(
            broker.depths(opened, settings, names),
            broker.depths(opened, settings, names, queue=broker.urgent_queue),
            broker.depths(opened, settings, names, queue=broker.failed_queue),
            broker.count_waiting_retries(opened, settings),
        )
        return QueueDepths(ordinary, urgent, parked, retrying)


class QueueSource(Protocol):
    """What tells the lengths; QueueConnection is one."""

    async def read(self) -> QueueDepths: ...

    async def close(self) -> None: ...


class QueueReader:
    """Remembers what was told last, be it that the broker does not answer. Mutable."""

    def __init__(self, source: QueueSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock = source, clock
        self._asking: asyncio.Task[_Told] | None = None
        self._told: _Told | None = None

    async def read(self, recent: float = 0.0) -> QueueDepths:
        """Raises BROKER_UNAVAILABLE. What was told `recent` seconds ago will do, and is asked for anew meanwhile."""
        if self._told and (age := self._clock() - self._told.at) < recent:
            if age > ANEW_SECONDS and not self._asking:
                self._begin()
            return self._told.depths()
        if self._asking and not recent:
            # It may have begun before what the one who asks now wants to see.
            await asyncio.wait([self._asking])
        return (await asyncio.shield(self._asking or self._begin())).depths()

    async def close(self) -> None:
        if self._asking:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._source.close()

    def _begin(self) -> "asyncio.Task[_Told]":
        self._asking = asyncio.ensure_future(self._ask())
        return self._asking

    async def _ask(self) -> _Told:
        try:
            self._told = _Told(self._clock(), await self._answer())
            return self._told
        finally:
            self._asking = None

    async def _answer(self) -> QueueDepths | WindmillError:
        try:
            return await self._source.read()
        except WindmillError as error:
            return error
