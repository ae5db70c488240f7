"""Walk through the messages of a queue: `peek` reads and leaves them, `walk` moves or drops each of them.

Both hold messages unacknowledged, so an interruption leaves every message with the broker.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aio_pika.exceptions import DeliveryError
from aiormq import spec
from aiormq.abc import DeliveredMessage

from windmill.broker.channel import ConsumingChannel, consuming_channel
from windmill.broker.connection import Connection, translate_errors
from windmill.broker.publishing import PRIORITY, Headers
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings

WALK_HEADER = "windmill-walk"
"""Marks messages that a walk moved to the end of the queue: a walk ends when it meets its own mark."""

MAX_UNACKNOWLEDGED = 65_535
"""AMQP's maximum prefetch count."""
QUIET_SECONDS = 0.2


class HeldMessage:
    """An unacknowledged message."""

    __slots__ = ("body", "headers", "redelivered", "routing_key")

    def __init__(self, message: DeliveredMessage) -> None:
        self.body: bytes = message.body
        self.headers: dict[str, Any] = message.header.properties.headers or {}
        self.routing_key = message.routing_key or ""
        self.redelivered = bool(message.redelivered)


@dataclass(frozen=True, slots=True)
class Move:
    """Move to the end of a queue, possibly the walked one; then `on_settled` gets the `label`."""

    queue: str
    headers: Headers
    label: object = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Acknowledge without a copy."""

    label: object = None


class EndWalk(Enum):
    """End the walk before this message."""

    HERE = "here"


WalkDecision = Move | Drop | EndWalk
Decide = Callable[[HeldMessage], Awaitable[WalkDecision]]


async def peek(
    opened: Connection,
    settings: BrokerSettings,
    queue: str,
    limit: int,
    see: Callable[[HeldMessage], None],
    stop: asyncio.Event,
) -> None:
    """Show the first `limit` messages and then requeue them all in order. The broker counts one delivery.

    A quorum queue puts requeued messages behind those requeued before, so its order rotates if `limit` is smaller.
    """
    async with _held_queue(opened, settings, queue) as held:
        depth = await held.depth()
        there = min(depth, limit, MAX_UNACKNOWLEDGED)
        if there:
            await held.start(there)
        seen = 0
        while seen < there and (chunk := await held.take(there, stop)):
            for message in chunk:
                see(message)
            seen += len(chunk)
    # The channel is closed, but the queue may notice a moment later; the next reader should find all messages.
    async with _held_queue(opened, settings, queue) as held:
        await held.until_back(depth)


async def walk(
    opened: Connection,
    settings: BrokerSettings,
    queue: str,
    decide: Decide,
    stop: asyncio.Event,
    on_settled: Callable[[object], object],
    *,
    window: int,
) -> None:
    """Decide once about every message that is in the queue now; messages that arrive meanwhile are left alone.

    A message is acknowledged after its copy is confirmed, so an interruption duplicates at most two windows of
    messages. Messages that stay move to the end of the queue, in order.
    """
    async with _held_queue(opened, settings, queue) as held:
        await _Walk(held, queue, decide, stop, on_settled).run(window)


class _Walk:
    def __init__(
        self,
        held: "_HeldQueue",
        queue: str,
        decide: Decide,
        stop: asyncio.Event,
        on_settled: Callable[[object], object],
    ) -> None:
        self._held = held
        self._queue = queue
        self._decide = decide
        self._stop = stop
        self._on_settled = on_settled
        self._mark = uuid.uuid4().hex
        self._around = False
        self._settled = 0

    async def run(self, window: int) -> None:
        """The broker delivers one message for each acknowledgement. While the last ones are unacknowledged this sends
        none, so that the broker delivers no more messages than there were at the start."""
        there = await self._held.depth()
        if not there:
            return
        ahead = min(2 * window, there, MAX_UNACKNOWLEDGED)
        await self._held.start(ahead)
        while self._settled < there and not self._around and (chunk := await self._held.take(window, self._stop)):
            try:
                await self._settle(chunk)
            finally:
                if self._held.taken >= there:
                    await self._held.stop()
                await self._held.acknowledge(min(self._settled, there - ahead))
        await self._held.stop()
        await self._held.acknowledge(self._settled)

    async def _settle(self, chunk: Sequence[HeldMessage]) -> None:
        """Process a chunk; if a message fails, those before it are settled."""
        in_flight: list[asyncio.Future[object]] = []
        try:
            for message in chunk:
                decision = EndWalk.HERE if self._is_complete(message) else await self._decide(message)
                if isinstance(decision, EndWalk):
                    self._around = True
                    break
                in_flight.append(asyncio.ensure_future(self._carry_out(message, decision)))
        finally:
            outcomes = await self._held.confirmed(in_flight)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            self._settled += 1
            self._on_settled(outcome)

    def _is_complete(self, message: HeldMessage) -> bool:
        return self._stop.is_set() or message.headers.get(WALK_HEADER) == self._mark

    async def _carry_out(self, message: HeldMessage, decision: Move | Drop) -> object:
        if isinstance(decision, Move):
            headers = {name: value for name, value in decision.headers.items() if name != WALK_HEADER}
            if decision.queue == self._queue:
                headers[WALK_HEADER] = self._mark
            await self._held.copy(decision.queue, message.body, headers)
        return decision.label


class _HeldQueue:
    """The unacknowledged messages of a queue on its own channel; publishes copies of them."""

    def __init__(self, channel: ConsumingChannel, settings: BrokerSettings, queue: str) -> None:
        self._channel = channel
        self._settings = settings
        self._queue = queue
        self._received: deque[HeldMessage] = deque()
        self._arrival = asyncio.Event()
        self._acknowledged = 0
        self.taken = 0
        self.depth = channel.depth
        self.stop = channel.stop

    async def start(self, ahead: int) -> None:
        """Start consuming, with at most `ahead` unacknowledged messages at a time."""

        async def on_message(message: DeliveredMessage) -> None:
            self.taken += 1
            self._received.append(HeldMessage(message))
            self._arrival.set()

        await self._channel.start(ahead, on_message)

    async def take(self, limit: int, stop: asyncio.Event) -> list[HeldMessage]:
        """The messages received, at least one; none if the queue stays empty or the process has to stop."""
        quiet = 0
        while not self._received:
            if stop.is_set() or quiet == 2:
                return []
            quiet = quiet + 1 if await self._is_idle() else 0
        return [self._received.popleft() for _ in range(min(limit, len(self._received)))]

    async def _is_idle(self) -> bool:
        """Whether no message arrived for a while and the broker has none."""
        self._arrival.clear()
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._arrival.wait()
        except TimeoutError:
            self._must_be_consuming()
            return await self.depth() == 0
        return False

    def _must_be_consuming(self) -> None:
        if self._channel.lost():
            raise WindmillError("BROKER_UNAVAILABLE", f"the consumer of {self._queue} was cancelled")

    async def acknowledge(self, count: int) -> None:
        """Acknowledge the first `count` messages taken: they are safe elsewhere."""
        if count > self._acknowledged:
            with translate_errors(self._settings):
                await self._channel.acknowledge(count, multiple=True)
            self._acknowledged = count

    async def until_back(self, count: int) -> None:
        """Wait until the queue holds `count` messages again; not for ever, because another consumer may take them."""
        for _ in range(20):
            if await self.depth() >= count:
                return
            await asyncio.sleep(0.005)

    async def confirmed(self, in_flight: Sequence[asyncio.Future[object]]) -> list[object]:
        """The results of copies in flight. One timeout for all: one for each makes a walk a third slower."""
        with translate_errors(self._settings):
            async with asyncio.timeout(self._settings.publish_timeout):
                return list(await asyncio.gather(*in_flight, return_exceptions=True))

    async def copy(self, queue: str, body: bytes, headers: dict[str, Any]) -> None:
        """Publish a copy of a message and wait for its confirm."""
        # On aiormq again, without waiting for each write: copies limit the speed of a walk.
        properties = spec.Basic.Properties(
            headers=headers, delivery_mode=2, content_type="application/json", priority=PRIORITY
        )
        with translate_errors(self._settings):
            try:
                await self._channel.driver.basic_publish(
                    body,
                    routing_key=queue,
                    properties=properties,
                    mandatory=True,
                    wait=False,
                )
            except DeliveryError as error:
                raise WindmillError("BROKER_UNAVAILABLE", f"no queue took a message for {queue}: {error}") from error


@asynccontextmanager
async def _held_queue(opened: Connection, settings: BrokerSettings, queue: str) -> AsyncIterator[_HeldQueue]:
    """The channel closes with the context, and the broker requeues unacknowledged messages."""
    async with consuming_channel(opened, settings, queue, publisher_confirms=True) as channel:
        yield _HeldQueue(channel, settings, queue)
