"""Consuming: deliveries of one queue, and what a worker says of each to the broker."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.abc import DeliveredMessage

from windmill.broker.channel import ConsumingChannel, consuming_channel
from windmill.broker.connection import CLOSE_SECONDS, Connection
from windmill.broker.names import work_queue
from windmill.core.setting_parts import BrokerSettings

logger = logging.getLogger(__name__)


class Delivery:
    """A message in hand: nobody else gets it until it is acknowledged, handed back, or its channel is gone."""

    __slots__ = ("_acknowledgements", "_channel", "_tag", "body", "headers", "redelivered")

    def __init__(self, message: DeliveredMessage, acknowledgements: "Acknowledgements") -> None:
        self.body: bytes = message.body
        self.headers: dict[str, Any] = message.header.properties.headers or {}
        self.redelivered = bool(message.redelivered)
        self._channel = message.channel
        self._acknowledgements = acknowledgements
        self._tag = message.delivery_tag or 0
        acknowledgements.hold(self._tag)

    def acknowledge(self) -> None:
        """The job is safe elsewhere. On a channel that is gone this is nothing: the broker hands the job out again,
        and writing its row again changes nothing."""
        self._acknowledgements.settle(self._tag)

    async def hand_back(self) -> None:
        """To its place in the queue. The broker counts this, and parks what was handed out too often: for jobs that
        are well, publish a copy and acknowledge instead."""
        with _late():
            await self._channel.basic_nack(self._tag, requeue=True, wait=False)
        # Only now: an acknowledgement of many must not pass it meanwhile.
        self._acknowledgements.forget(self._tag)


Take = Callable[[Delivery], Coroutine[Any, Any, None]]


class Acknowledgements:
    """Says to the broker what is settled, all of one moment together: one frame for those that came one after
    another, however many, and one for each that overtook another."""

    def __init__(self, channel: ConsumingChannel) -> None:
        self._channel = channel
        self._held: deque[int] = deque()
        self._done: set[int] = set()
        self._sending: asyncio.Task[None] | None = None

    def hold(self, tag: int) -> None:
        self._held.append(tag)

    def forget(self, tag: int) -> None:
        """It was handed back."""
        self._held.remove(tag)

    def settle(self, tag: int) -> None:
        self._done.add(tag)
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send())

    async def close(self) -> None:
        """Say what is left, while the channel is there."""
        if sending := self._sending:
            await asyncio.wait([sending], timeout=CLOSE_SECONDS)
            sending.cancel()

    async def _send(self) -> None:
        """Say it all. By the order of tasks this runs after all that were settled in this round of the loop. One at a
        time, because frames that wait for room may overtake each other, and a number that an acknowledgement of many
        has passed is an error to the broker."""
        try:
            while self._done:
                done, self._done = self._done, set()
                with _late():
                    await self._acknowledge(done)
        finally:
            self._sending = None

    async def _acknowledge(self, done: set[int]) -> None:
        last = 0
        while self._held and self._held[0] in done:
            last = self._held.popleft()
            done.discard(last)
        if last:
            await self._channel.acknowledge(last, multiple=True)
        for tag in sorted(done):
            self._held.remove(tag)
            await self._channel.acknowledge(tag)


@contextmanager
def _late() -> Iterator[None]:
    """The channel may be gone by now."""
    try:
        yield
    except CONNECTION_EXCEPTIONS as error:
        logger.debug("settled too late", extra={"reason": str(error)})


class Consumption:
    """One queue's deliveries on a channel of their own, until it is stopped or lost."""

    def __init__(self, channel: ConsumingChannel) -> None:
        self._channel = channel
        self._acknowledgements = Acknowledgements(channel)
        # The loop itself holds its tasks only weakly.
        self._taking: set[asyncio.Task[None]] = set()

    async def start(self, take: Take, prefetch: int) -> None:
        """Let deliveries come, at most `prefetch` of them unacknowledged at a time."""
        acknowledgements, taking = self._acknowledgements, self._taking

        async def on_message(message: DeliveredMessage) -> None:
            # In a task of ours: the driver cancels its own when the channel is gone. A call that is under way then has
            # to go on, as the service does too, and some break when they are called again meanwhile.
            task = asyncio.ensure_future(take(Delivery(message, acknowledgements)))
            taking.add(task)
            task.add_done_callback(taking.discard)

        await self._channel.start(prefetch, on_message)

    async def stop(self) -> None:
        """No more deliveries; those that came can still be acknowledged."""
        await self._channel.stop()

    async def close(self) -> None:
        """What is settled is said before the channel closes."""
        await self._acknowledgements.close()

    def lost(self) -> bool:
        """Whether deliveries should come but cannot."""
        return self._channel.lost()

    async def depth(self) -> int:
        """How many messages wait to be handed out."""
        return await self._channel.depth()


@asynccontextmanager
async def consumption(opened: Connection, settings: BrokerSettings, service: str) -> AsyncIterator[Consumption]:
    """The deliveries of a service's work queue."""
    async with queue_consumption(opened, settings, work_queue(settings, service)) as one:
        yield one


@asynccontextmanager
async def queue_consumption(opened: Connection, settings: BrokerSettings, queue: str) -> AsyncIterator[Consumption]:
    """The deliveries of a queue that is called by its name. The channel closes with the context, and what is
    unacknowledged goes back to the queue."""
    async with consuming_channel(opened, settings, queue, publisher_confirms=False) as channel:
        one = Consumption(channel)
        try:
            yield one
        finally:
            await one.close()
