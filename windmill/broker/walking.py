"""Walking through a queue: looking at its messages and leaving them, or deciding of each where it goes.

Both take messages unacknowledged, so whatever ends them early leaves every message with the broker.
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
from windmill.broker.connection import Connection, converted
from windmill.broker.publishing import Headers
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings

WALK_HEADER = "windmill-walk"
"""Set on messages that a walk has put behind the others: meeting one of its own, a walk has come around."""

MOST_HELD = 65_535
"""AMQP's bound on the messages that are unacknowledged at a time."""
QUIET_SECONDS = 0.2


class Message:
    """A message in hand."""

    __slots__ = ("body", "headers", "redelivered", "routing_key")

    def __init__(self, message: DeliveredMessage) -> None:
        self.body: bytes = message.body
        self.headers: dict[str, Any] = message.header.properties.headers or {}
        self.routing_key = message.routing_key or ""
        self.redelivered = bool(message.redelivered)


@dataclass(frozen=True, slots=True)
class Move:
    """To the end of a queue, perhaps of the walked one; `label` is told to the walker once it is done."""

    queue: str
    headers: Headers
    label: object = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Acknowledged away."""

    label: object = None


class End(Enum):
    """The walk ends before this message."""

    HERE = "here"


Decision = Move | Drop | End
Decide = Callable[[Message], Awaitable[Decision]]


async def look(
    opened: Connection,
    settings: BrokerSettings,
    queue: str,
    most: int,
    see: Callable[[Message], None],
    stop: asyncio.Event,
) -> None:
    """Show the first `most` messages and then give them all back, in their order. The broker counts one delivery.

    A quorum queue puts what it gets back behind what it got back before: its order turns when fewer are looked at.
    """
    async with _hand(opened, settings, queue) as hand:
        depth = await hand.depth()
        there = min(depth, most, MOST_HELD)
        if there:
            await hand.start(there)
        seen = 0
        while seen < there and (chunk := await hand.take(there, stop)):
            for message in chunk:
                see(message)
            seen += len(chunk)
    # The channel is closed, but the queue may learn it a moment later; who looks next should find them there.
    async with _hand(opened, settings, queue) as hand:
        await hand.until_back(depth)


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
    """Decide once of every message that is in the queue now; those that come meanwhile are left alone.

    A message is acknowledged after its copy is confirmed, so what interrupts this leaves at most two windows of
    messages twice. Messages that stay are put behind the others, in their order.
    """
    async with _hand(opened, settings, queue) as hand:
        await _Walk(hand, queue, decide, stop, on_settled).run(window)


class _Walk:
    def __init__(
        self,
        hand: "_Hand",
        queue: str,
        decide: Decide,
        stop: asyncio.Event,
        on_settled: Callable[[object], object],
    ) -> None:
        self._hand = hand
        self._queue = queue
        self._decide = decide
        self._stop = stop
        self._on_settled = on_settled
        self._mark = uuid.uuid4().hex
        self._around = False
        self._settled = 0

    async def run(self, window: int) -> None:
        """The broker hands out one message for each that is acknowledged: while the last ones are in hand, none is,
        so that it hands out no more than there were at the start."""
        there = await self._hand.depth()
        if not there:
            return
        ahead = min(2 * window, there, MOST_HELD)
        await self._hand.start(ahead)
        while self._settled < there and not self._around and (chunk := await self._hand.take(window, self._stop)):
            try:
                await self._settle(chunk)
            finally:
                if self._hand.taken >= there:
                    await self._hand.stop()
                await self._hand.acknowledge(min(self._settled, there - ahead))
        await self._hand.stop()
        await self._hand.acknowledge(self._settled)

    async def _settle(self, chunk: Sequence[Message]) -> None:
        """See a chunk through; of a chunk that fails, what precedes the failure is settled."""
        under_way: list[asyncio.Future[object]] = []
        try:
            for message in chunk:
                decision = End.HERE if self._came_around(message) else await self._decide(message)
                if isinstance(decision, End):
                    self._around = True
                    break
                under_way.append(asyncio.ensure_future(self._carry_out(message, decision)))
        finally:
            outcomes = await self._hand.confirmed(under_way)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            self._settled += 1
            self._on_settled(outcome)

    def _came_around(self, message: Message) -> bool:
        return self._stop.is_set() or message.headers.get(WALK_HEADER) == self._mark

    async def _carry_out(self, message: Message, decision: Move | Drop) -> object:
        if isinstance(decision, Move):
            headers = {name: value for name, value in decision.headers.items() if name != WALK_HEADER}
            if decision.queue == self._queue:
                headers[WALK_HEADER] = self._mark
            await self._hand.copy(decision.queue, message.body, headers)
        return decision.label


class _Hand:
    """A queue's messages on a channel of their own, and copies of them into queues."""

    def __init__(self, channel: ConsumingChannel, settings: BrokerSettings, queue: str) -> None:
        self._channel = channel
        self._settings = settings
        self._queue = queue
        self._arrived: deque[Message] = deque()
        self._came = asyncio.Event()
        self._acknowledged = 0
        self.taken = 0
        self.depth = channel.depth
        self.stop = channel.stop

    async def start(self, ahead: int) -> None:
        """Let messages come, at most `ahead` of them unacknowledged at a time."""

        async def on_message(message: DeliveredMessage) -> None:
            self.taken += 1
            self._arrived.append(Message(message))
            self._came.set()

        await self._channel.start(ahead, on_message)

    async def take(self, most: int, stop: asyncio.Event) -> list[Message]:
        """Those that came, at least one; none when the queue stays empty or the process is to stop."""
        quiet = 0
        while not self._arrived:
            if stop.is_set() or quiet == 2:
                return []
            quiet = quiet + 1 if await self._nothing_comes() else 0
        return [self._arrived.popleft() for _ in range(min(most, len(self._arrived)))]

    async def _nothing_comes(self) -> bool:
        """Whether a while passed without a message, and the broker has none."""
        self._came.clear()
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._came.wait()
        except TimeoutError:
            self._must_be_consuming()
            return await self.depth() == 0
        return False

    def _must_be_consuming(self) -> None:
        if self._channel.lost():
            raise WindmillError("BROKER_UNAVAILABLE", f"the messages of {self._queue} stopped coming")

    async def acknowledge(self, count: int) -> None:
        """The first `count` messages that were taken are safe elsewhere."""
        if count > self._acknowledged:
            with converted(self._settings):
                await self._channel.acknowledge(count, multiple=True)
            self._acknowledged = count

    async def until_back(self, count: int) -> None:
        """Return once so many wait; bounded, because somebody else may take them at once."""
        for _ in range(20):
            if await self.depth() >= count:
                return
            await asyncio.sleep(0.005)

    async def confirmed(self, under_way: Sequence[asyncio.Future[object]]) -> list[object]:
        """What became of copies that are under way. One timeout for all: with one for each a walk is a third slower."""
        with converted(self._settings):
            async with asyncio.timeout(self._settings.publish_timeout):
                return list(await asyncio.gather(*under_way, return_exceptions=True))

    async def copy(self, queue: str, body: bytes, headers: dict[str, Any]) -> None:
        """A copy of a message, confirmed."""
        # The driver's lower half again, without a wait for each write: a walk is as fast as its copies are.
        properties = spec.Basic.Properties(headers=headers, delivery_mode=2, content_type="application/json")
        with converted(self._settings):
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
async def _hand(opened: Connection, settings: BrokerSettings, queue: str) -> AsyncIterator[_Hand]:
    """The channel closes with the context, and the broker puts back what is unacknowledged."""
    async with consuming_channel(opened, settings, queue, publisher_confirms=True) as channel:
        yield _Hand(channel, settings, queue)
