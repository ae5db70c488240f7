"""Consuming a queue: deliveries, and their acknowledgements in batches."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.abc import DeliveredMessage

from windmill.broker.channel import ConsumingChannel, consuming_channel
from windmill.broker.connection import CLOSE_SECONDS, Connection
from windmill.broker.queue_names import urgent_queue, work_queue
from windmill.core.setting_parts import BrokerSettings

logger = logging.getLogger(__name__)


class Delivery:
    """An unacknowledged message: no other consumer gets it until it is requeued or its channel closes."""

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
        """Acknowledge; the job is safe elsewhere. On a closed channel this has no effect: the broker redelivers the
        job, and writing its row again is idempotent."""
        self._acknowledgements.settle(self._tag)

    async def requeue(self) -> None:
        """Return it to its place in the queue. The broker counts deliveries and dead-letters messages over the limit,
        so for healthy jobs publish a copy and acknowledge instead. From 4.3 on it counts a reject but no nack, so
        with a nack a job that is requeued for ever would never be dead-lettered."""
        with _ignore_closed_channel():
            await self._channel.basic_reject(self._tag, requeue=True, wait=False)
        # Only now: a multiple acknowledgement must not cover it in the meantime.
        self._acknowledgements.forget(self._tag)


OnDelivery = Callable[[Delivery], Coroutine[Any, Any, None]]


class Acknowledgements:
    """Batches acknowledgements per round of the event loop: one frame for consecutive deliveries, however many, and one
    for each that was settled out of order."""

    def __init__(self, channel: ConsumingChannel) -> None:
        self._channel = channel
        self._held: deque[int] = deque()
        self._done: set[int] = set()
        self._sending: asyncio.Task[None] | None = None

    def hold(self, tag: int) -> None:
        self._held.append(tag)

    def forget(self, tag: int) -> None:
        """Stop tracking a requeued message."""
        self._held.remove(tag)

    def settle(self, tag: int) -> None:
        self._done.add(tag)
        if self._sending is None:
            self._sending = asyncio.ensure_future(self._send())

    async def close(self) -> None:
        """Send what is left while the channel is open."""
        if sending := self._sending:
            await asyncio.wait([sending], timeout=CLOSE_SECONDS)
            sending.cancel()

    async def _send(self) -> None:
        """Send everything settled. The loop runs this after all tasks that settle in the same round. Only one runs at a
        time: frames that wait for buffer space may overtake each other, and the broker rejects a tag that a multiple
        acknowledgement has already covered."""
        try:
            while self._done:
                done, self._done = self._done, set()
                with _ignore_closed_channel():
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
def _ignore_closed_channel() -> Iterator[None]:
    """The channel may have closed by now."""
    try:
        yield
    except CONNECTION_EXCEPTIONS as error:
        logger.debug("settled too late", extra={"reason": str(error)})


class Consumer:
    """Consumes one queue on its own channel until it is stopped or lost."""

    def __init__(self, channel: ConsumingChannel) -> None:
        self._channel = channel
        self._acknowledgements = Acknowledgements(channel)
        # The loop holds only weak references to tasks.
        self._taking: set[asyncio.Task[None]] = set()

    async def start(self, on_delivery: OnDelivery, prefetch: int) -> None:
        """Start consuming, with at most `prefetch` unacknowledged deliveries at a time."""
        acknowledgements, taking = self._acknowledgements, self._taking

        async def on_message(message: DeliveredMessage) -> None:
            # In our own task: the driver cancels its tasks when the channel closes. A call in flight has to continue,
            # because the service continues too, and some services break when they are called again meanwhile.
            task = asyncio.ensure_future(on_delivery(Delivery(message, acknowledgements)))
            taking.add(task)
            task.add_done_callback(taking.discard)

        await self._channel.start(prefetch, on_message)

    async def stop(self) -> None:
        """Stop consuming; deliveries already received can still be acknowledged."""
        await self._channel.stop()

    async def close(self) -> None:
        """Send pending acknowledgements before the channel closes."""
        await self._acknowledgements.close()

    def lost(self) -> bool:
        """Whether the consumer or its channel is gone."""
        return self._channel.lost()

    async def depth(self) -> int:
        """How many messages are ready for delivery."""
        return await self._channel.depth()


class ServiceConsumers(NamedTuple):
    """The consumers of the two work queues of one service."""

    ordinary: Consumer
    urgent: Consumer


@asynccontextmanager
async def service_consumers(
    opened: Connection, settings: BrokerSettings, service: str
) -> AsyncIterator[ServiceConsumers]:
    """Consumers of both work queues of a service. Each has its own prefetch, so a full one of ordinary jobs keeps no
    urgent job away."""
    async with (
        queue_consumer(opened, settings, work_queue(settings, service)) as ordinary,
        queue_consumer(opened, settings, urgent_queue(settings, service)) as urgent,
    ):
        yield ServiceConsumers(ordinary, urgent)


@asynccontextmanager
async def queue_consumer(opened: Connection, settings: BrokerSettings, queue: str) -> AsyncIterator[Consumer]:
    """A consumer of a queue by name. The channel closes with the context, and the broker requeues unacknowledged
    messages."""
    async with consuming_channel(opened, settings, queue, publisher_confirms=False) as channel:
        one = Consumer(channel)
        try:
            yield one
        finally:
            await one.close()
