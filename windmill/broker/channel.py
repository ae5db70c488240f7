"""A channel of the driver's lower half that one queue is consumed on.

The lower half, because the upper half starts two tasks for each delivery. Its attributes are asked for by name and
without a default: should the driver call one otherwise, that shall be told at once, and by the type checker first.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from windmill.broker.connection import CONNECT_SECONDS, Connection, converted
from windmill.core.setting_parts import BrokerSettings

OnMessage = Callable[[DeliveredMessage], Coroutine[Any, Any, None]]


class ConsumingChannel:
    """Starts and stops the consumer of one queue, and acknowledges."""

    def __init__(self, driver: Channel, settings: BrokerSettings, queue: str) -> None:
        self.driver = driver
        self._settings = settings
        self._queue = queue
        self._tag: str | None = None

    async def start(self, prefetch: int, on_message: OnMessage) -> None:
        """Let messages come, at most `prefetch` of them unacknowledged at a time."""
        with converted(self._settings):
            await self.driver.basic_qos(prefetch_count=prefetch, timeout=CONNECT_SECONDS)
            answer = await self.driver.basic_consume(self._queue, on_message, timeout=CONNECT_SECONDS)
            self._tag = answer.consumer_tag

    async def stop(self) -> None:
        """No more messages; those that came can still be acknowledged."""
        tag, self._tag = self._tag, None
        if tag is None or self.driver.is_closed:
            return
        with converted(self._settings):
            await self.driver.basic_cancel(tag, timeout=CONNECT_SECONDS)

    async def depth(self) -> int:
        """How many messages wait to be handed out."""
        with converted(self._settings):
            answer = await self.driver.queue_declare(self._queue, passive=True, timeout=CONNECT_SECONDS)
            return answer.message_count or 0

    def lost(self) -> bool:
        """Whether messages should come but cannot: the broker may end a channel or a consumer in silence, as when the
        queue is deleted."""
        return self.driver.is_closed or (self._tag is not None and self._tag not in self.driver.consumers)

    async def acknowledge(self, tag: int, *, multiple: bool = False) -> None:
        """One message, or all up to it. Does not convert the driver's exceptions: what they mean differs."""
        await self.driver.basic_ack(tag, multiple=multiple, wait=False)


@asynccontextmanager
async def consuming_channel(
    opened: Connection, settings: BrokerSettings, queue: str, *, publisher_confirms: bool
) -> AsyncIterator[ConsumingChannel]:
    """It closes with the context, and the broker puts back what is unacknowledged. With confirms it publishes too, and
    raises for what no queue takes."""
    with converted(settings):
        channel = await opened.channel(publisher_confirms=publisher_confirms, on_return_raises=publisher_confirms)
        driver = await channel.get_underlay_channel()
    assert isinstance(driver, Channel)
    async with channel:
        yield ConsumingChannel(driver, settings, queue)
