"""A channel that consumes one queue, on aiormq, the low-level half of the driver.

aio-pika, the high-level half, starts two tasks for each delivery. This module uses attributes of aiormq directly, so
the type checker reports it at once if a new version renames one.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from windmill.broker.connection import CONNECT_SECONDS, Connection, translate_errors
from windmill.core.setting_parts import BrokerSettings

OnMessage = Callable[[DeliveredMessage], Coroutine[Any, Any, None]]


class ConsumingChannel:
    """Starts and stops the consumer of one queue, and acknowledges deliveries."""

    def __init__(self, driver: Channel, settings: BrokerSettings, queue: str) -> None:
        self.driver = driver
        self._settings = settings
        self._queue = queue
        self._tag: str | None = None

    async def start(self, prefetch: int, on_message: OnMessage) -> None:
        """Start consuming, with at most `prefetch` unacknowledged messages at a time."""
        with translate_errors(self._settings):
            await self.driver.basic_qos(prefetch_count=prefetch, timeout=CONNECT_SECONDS)
            answer = await self.driver.basic_consume(self._queue, on_message, timeout=CONNECT_SECONDS)
            self._tag = answer.consumer_tag

    async def stop(self) -> None:
        """Stop consuming; messages already delivered can still be acknowledged."""
        tag, self._tag = self._tag, None
        if tag is None or self.driver.is_closed:
            return
        with translate_errors(self._settings):
            await self.driver.basic_cancel(tag, timeout=CONNECT_SECONDS)

    async def depth(self) -> int:
        """How many messages are ready for delivery."""
        with translate_errors(self._settings):
            answer = await self.driver.queue_declare(self._queue, passive=True, timeout=CONNECT_SECONDS)
            return answer.message_count or 0

    def lost(self) -> bool:
        """Whether the consumer is gone without an error: the broker may cancel it, for example when the queue is
        deleted."""
        return self.driver.is_closed or (self._tag is not None and self._tag not in self.driver.consumers)

    async def acknowledge(self, tag: int, *, multiple: bool = False) -> None:
        """Acknowledge one message, or all up to it. Driver exceptions pass through, because their meaning depends on
        the caller."""
        await self.driver.basic_ack(tag, multiple=multiple, wait=False)


@asynccontextmanager
async def consuming_channel(
    opened: Connection, settings: BrokerSettings, queue: str, *, publisher_confirms: bool
) -> AsyncIterator[ConsumingChannel]:
    """Open a channel; when the context closes it, the broker requeues unacknowledged messages. With confirms it can
    also publish, and raises for messages that no queue takes."""
    with translate_errors(settings):
        channel = await opened.channel(publisher_confirms=publisher_confirms, on_return_raises=publisher_confirms)
        driver = await channel.get_underlay_channel()
    assert isinstance(driver, Channel)
    async with channel:
        yield ConsumingChannel(driver, settings, queue)
