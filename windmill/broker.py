"""RabbitMQ: the only module that knows the driver. Names and declares the queues, publishes with confirms, consumes.

queue_<service>           work
queue_<service>.failed    jobs that were given up, with the reason in their headers
windmill.retry.<ms>       fanout exchange and queue of one fixed delay, shared by all services: a job published
                          there with routing key queue_<service> comes back to that queue when the delay is over
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AuthenticationError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aiormq.abc import FieldTable

from windmill.errors import WindmillError
from windmill.settings import Settings

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
HEARTBEAT_SECONDS = 30
Connection = AbstractConnection
Delivery = AbstractIncomingMessage
Headers = Mapping[str, Any]


def work_queue(settings: Settings, service: str) -> str:
    return settings.queue_prefix + service


def failed_queue(settings: Settings, service: str) -> str:
    return work_queue(settings, service) + ".failed"


def retry_exchange(delay: float) -> str:
    return f"windmill.retry.{round(delay * 1000)}"


@contextmanager
def converted(settings: Settings) -> Iterator[None]:
    """Let the driver's exceptions leave as ours."""
    try:
        yield
    except ChannelPreconditionFailed as error:
        raise WindmillError("CONFIG_INVALID", f"a queue is declared otherwise: {error}", _REDECLARE) from error
    except InvalidFrameError as error:
        # The driver's word for a broker that closes instead of opening the virtual host.
        said = f"{_where(settings)}: the virtual host was refused"
        raise WindmillError("CONFIG_INVALID", said, _ACCOUNT) from error
    except (AuthenticationError, ProbableAuthenticationError) as error:
        raise WindmillError("CONFIG_INVALID", f"{_where(settings)}: {error}", _ACCOUNT) from error
    except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise WindmillError("BROKER_UNAVAILABLE", f"{_where(settings)}: {reason}") from error


def _where(settings: Settings) -> str:
    return f"{settings.queue_user} at {settings.queue_host}:{settings.queue_port} vhost {settings.queue_vhost}"


_ACCOUNT = "correct QUEUE_USER, QUEUE_PASSWORD and QUEUE_VHOST, or let RabbitMQ know them"
_REDECLARE = "set QUEUE_TYPE to the type it has, or delete the queue once it is empty"


@asynccontextmanager
async def connection(settings: Settings, name: str) -> AsyncIterator[AbstractConnection]:
    """One connection, shown in the management page under `name`."""
    with converted(settings):
        opened = await aio_pika.connect(
            host=settings.queue_host,
            port=settings.queue_port,
            login=settings.queue_user,
            password=settings.queue_password,
            virtualhost=settings.queue_vhost,
            ssl=settings.queue_tls,
            ssl_context=_tls(settings),
            timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            client_properties={"connection_name": name},
        )
    try:
        yield opened
    finally:
        await _close_quietly(opened)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=settings.queue_tls_ca) if settings.queue_tls else None


async def _close_quietly(opened: AbstractConnection) -> None:
    """A connection that is being left may be broken already; that must not hide why."""
    try:
        await asyncio.wait_for(opened.close(), CONNECT_SECONDS)
    except CONNECTION_EXCEPTIONS as error:
        logger.debug("closing the broker connection failed", extra={"reason": str(error)})


async def declare_service(channel: AbstractChannel, settings: Settings, service: str) -> None:
    """The queues of one service. The type is the only argument: arguments of a queue can never be changed."""
    arguments: FieldTable = {"x-queue-type": settings.queue_type}
    for name in (work_queue(settings, service), failed_queue(settings, service)):
        await channel.declare_queue(name, durable=True, arguments=arguments)


async def declare_retry(channel: AbstractChannel, settings: Settings, delay: float) -> None:
    """One retry tier. Its arguments follow from its name, so they never change; the time to live is the queue's and
    not the message's, because RabbitMQ expires messages only at the head."""
    name = retry_exchange(delay)
    arguments: FieldTable = {
        "x-queue-type": settings.queue_type,
        "x-message-ttl": round(delay * 1000),
        "x-dead-letter-exchange": "",
    }
    if settings.queue_type == "quorum":
        # Without these two a broker that stops between expiry and delivery loses the job.
        arguments |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.FANOUT, durable=True)
    queue = await channel.declare_queue(name, durable=True, arguments=arguments)
    await queue.bind(exchange)


async def declare(opened: AbstractConnection, settings: Settings, services: Iterable[str]) -> None:
    """All that a process of these services publishes to or consumes from."""
    with converted(settings):
        async with opened.channel() as channel:
            for service in services:
                await declare_service(channel, settings, service)
            for delay in settings.retry_delays:
                await declare_retry(channel, settings, delay)


class Publisher:
    """Publishes with confirms: when a method returns, the broker has the message in every queue that was named."""

    def __init__(self, channel: AbstractChannel, settings: Settings) -> None:
        self._channel = channel
        self._settings = settings

    async def to_services(self, body: bytes, services: Sequence[str]) -> None:
        """One publish for any number of services: the queues after the first are named in a BCC header."""
        queues = [work_queue(self._settings, service) for service in services]
        await self._publish("", queues[0], body, {"BCC": queues[1:]} if queues[1:] else {})

    async def to_retry(self, delay: float, service: str, body: bytes, headers: Headers) -> None:
        await self._publish(retry_exchange(delay), work_queue(self._settings, service), body, headers)

    async def to_failed(self, service: str, body: bytes, headers: Headers) -> None:
        await self._publish("", failed_queue(self._settings, service), body, headers)

    async def _publish(self, exchange: str, routing_key: str, body: bytes, headers: Headers) -> None:
        message = aio_pika.Message(
            body,
            headers=dict(headers),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        with converted(self._settings):
            target = self._channel.default_exchange
            if exchange:
                target = await self._channel.get_exchange(exchange, ensure=False)
            try:
                await target.publish(message, routing_key, mandatory=True, timeout=self._settings.publish_timeout)
            except DeliveryError as error:
                raise WindmillError(
                    "BROKER_UNAVAILABLE", f"no queue took a message for {routing_key}: {error}"
                ) from error


@asynccontextmanager
async def publisher(opened: AbstractConnection, settings: Settings) -> AsyncIterator[Publisher]:
    """A publisher on a channel of its own; a message that no queue takes raises."""
    with converted(settings):
        channel = await opened.channel(publisher_confirms=True, on_return_raises=True)
    async with channel:
        yield Publisher(channel, settings)


class Consumption:
    """One service's deliveries on a channel of their own, until it is stopped or lost."""

    def __init__(self, channel: AbstractChannel, settings: Settings, service: str) -> None:
        self._channel = channel
        self._settings = settings
        self._queue_name = work_queue(settings, service)
        self._tag: str | None = None

    async def start(self, take: Callable[[Delivery], Awaitable[None]], prefetch: int) -> None:
        """Let deliveries come, at most `prefetch` of them unacknowledged at a time."""
        with converted(self._settings):
            await self._channel.set_qos(prefetch_count=prefetch)
            queue = await self._channel.get_queue(self._queue_name, ensure=False)
            self._tag = await queue.consume(take)

    async def stop(self) -> None:
        """No more deliveries; those that came can still be acknowledged."""
        tag, self._tag = self._tag, None
        if tag is None or self._channel.is_closed:
            return
        with converted(self._settings):
            queue = await self._channel.get_queue(self._queue_name, ensure=False)
            await queue.cancel(tag, timeout=CONNECT_SECONDS)

    async def lost(self) -> bool:
        """Whether deliveries should come but cannot: the broker may end a channel or a consumer in silence."""
        if self._channel.is_closed:
            return True
        underlay = await self._channel.get_underlay_channel()
        consumers: Mapping[str, object] = getattr(underlay, "consumers", {})
        return self._tag is not None and self._tag not in consumers


@asynccontextmanager
async def consumption(opened: AbstractConnection, settings: Settings, service: str) -> AsyncIterator[Consumption]:
    """The channel closes with the context, and what is unacknowledged goes back to the queue."""
    with converted(settings):
        channel = await opened.channel(publisher_confirms=False)
    async with channel:
        yield Consumption(channel, settings, service)


async def acknowledge(delivery: Delivery) -> None:
    """The job is safe elsewhere. On a channel that is gone this is nothing: the broker hands the job out again, and
    writing its row again changes nothing."""
    try:
        await delivery.ack()
    except CONNECTION_EXCEPTIONS as error:
        logger.debug("acknowledged too late", extra={"reason": str(error)})


async def hand_back(delivery: Delivery) -> None:
    """The job was not started; it goes back to its place in the queue."""
    try:
        await delivery.nack(requeue=True)
    except CONNECTION_EXCEPTIONS as error:
        logger.debug("handed back too late", extra={"reason": str(error)})


async def delete_queues(opened: AbstractConnection, settings: Settings, services: Iterable[str]) -> None:
    """Remove the queues of these services with all that they hold."""
    with converted(settings):
        async with opened.channel() as channel:
            for service in services:
                await channel.queue_delete(work_queue(settings, service))
                await channel.queue_delete(failed_queue(settings, service))


async def depths(
    opened: AbstractConnection,
    settings: Settings,
    services: Iterable[str],
    *,
    queue: Callable[[Settings, str], str] = work_queue,
) -> dict[str, int]:
    """How many jobs are in the work queue of each service, or in another `queue` of it."""
    with converted(settings):
        return {service: await _depth(opened, queue(settings, service)) for service in services}


async def waiting_to_be_retried(opened: AbstractConnection, settings: Settings) -> int:
    """How many jobs of any service are in the retry tiers."""
    with converted(settings):
        return sum([await _depth(opened, retry_exchange(delay)) for delay in settings.retry_delays])


async def _depth(opened: AbstractConnection, queue_name: str) -> int:
    """A channel for each question, because the broker closes it when there is no such queue."""
    try:
        async with opened.channel() as channel:
            queue = await channel.declare_queue(queue_name, passive=True)
            return queue.declaration_result.message_count or 0
    except ChannelNotFoundEntity:
        return 0
