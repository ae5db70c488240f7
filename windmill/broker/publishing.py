"""Publishing with confirms: when a method returns, the broker has stored the message in every named queue."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError

from windmill.broker.connection import Connection, translate_errors
from windmill.broker.queue_names import failed_queue, queue_of_job, retry_exchange
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.flow.retry_backoff import jittered_delays

Headers = Mapping[str, Any]

PRIORITY = 0
"""Of every message that is published here. From RabbitMQ 4.3 on, quorum queues deliver the highest priority first, and
take a message without one for 4. One value for all keeps them in order, and the lowest one puts what `walk` copies
behind everything that was there before, whoever published it."""


class Publisher:
    """Publishes with confirms, `mandatory` and a timeout, always. A job whose headers call it urgent goes to the urgent
    queue of its service, also by way of a retry tier."""

    def __init__(
        self,
        channel: AbstractChannel,
        settings: BrokerSettings,
        *,
        ready: Callable[[], Any],
        outlasts_blocking: bool = False,
        dice: Callable[[Sequence[float]], float] = random.choice,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._ready = ready
        self._outlasts_blocking = outlasts_blocking
        self._dice = dice

    async def to_services(self, body: bytes, services: Sequence[str], headers: Headers | None = None) -> None:
        """One publish for any number of services: a BCC header names the queues after the first."""
        queues = [queue_of_job(self._settings, service, headers or {}) for service in services]
        others = {"BCC": queues[1:]} if queues[1:] else {}
        await self._publish("", queues[0], body, {**(headers or {}), **others})

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None:
        """Return a job to the service's queue after `delay` seconds (one of RETRY_DELAYS) with jitter."""
        tier = retry_exchange(self._settings, self._dice(jittered_delays(delay)))
        await self._publish(tier, queue_of_job(self._settings, service, headers), body, headers)

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None:
        await self.to_queue(failed_queue(self._settings, service), body, headers)

    async def to_queue(self, queue: str, body: bytes, headers: Headers) -> None:
        """Append to a queue by name."""
        await self._publish("", queue, body, headers)

    async def blocked(self) -> bool:
        """Whether the broker blocks publishers because it is short of memory or disk."""
        ready = asyncio.ensure_future(self._ready())
        done, _ = await asyncio.wait([ready], timeout=0.01)
        ready.cancel()
        return not done

    async def _outlast_blocking(self, publish: Coroutine[Any, Any, object]) -> None:
        """Wait for the confirm as long as the broker blocks publishers, and at least PUBLISH_TIMEOUT after that. A
        second publish instead would make a second job, because the driver still sends the first."""
        publishing = asyncio.ensure_future(publish)
        was_blocked = False
        try:
            while not (await asyncio.wait([publishing], timeout=self._settings.publish_timeout))[0]:
                blocked = await self.blocked()
                if not (blocked or was_blocked):
                    raise TimeoutError
                was_blocked = blocked
            await publishing
        finally:
            publishing.cancel()

    async def _publish(self, exchange: str, routing_key: str, body: bytes, headers: Headers) -> None:
        message = aio_pika.Message(
            body,
            headers=dict(headers),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            priority=PRIORITY,
        )
        with translate_errors(self._settings):
            target = self._channel.default_exchange
            if exchange:
                target = await self._channel.get_exchange(exchange, ensure=False)
            try:
                if self._outlasts_blocking:
                    await self._outlast_blocking(target.publish(message, routing_key, mandatory=True))
                else:
                    await target.publish(message, routing_key, mandatory=True, timeout=self._settings.publish_timeout)
            except DeliveryError as error:
                raise WindmillError(
                    "BROKER_UNAVAILABLE", f"no queue took a message for {routing_key}: {error}"
                ) from error


@asynccontextmanager
async def publisher(
    opened: Connection, settings: BrokerSettings, *, outlasts_blocking: bool = False
) -> AsyncIterator[Publisher]:
    """A publisher on its own channel; raises for a message that no queue takes. One that outlasts blocking does not
    time out while the broker takes no publishes because it is short of memory or disk."""
    with translate_errors(settings):
        channel = await opened.channel(publisher_confirms=True, on_return_raises=True)
        underlay = await channel.get_underlay_channel()
    async with channel:
        yield Publisher(channel, settings, ready=underlay.connection.ready, outlasts_blocking=outlasts_blocking)
