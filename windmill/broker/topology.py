"""The topology: declares and deletes queues and retry tiers, and measures how full they are."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.abc import FieldTable

from windmill.broker.connection import Connection, translate_errors
from windmill.broker.queue_names import failed_queue, retry_exchange, retry_tiers, urgent_queue, work_queue
from windmill.core.setting_parts import BrokerSettings


async def declare(opened: Connection, settings: BrokerSettings, services: Iterable[str]) -> None:
    """Declare everything that a process of these services publishes to or consumes from."""
    with translate_errors(settings):
        async with opened.channel() as channel:
            for service in services:
                await _declare_service(channel, settings, service)
            for delay in retry_tiers(settings):
                await _declare_tier(channel, settings, delay)


async def _declare_service(channel: AbstractChannel, settings: BrokerSettings, service: str) -> None:
    """Declare the queues of one service. The type is the only argument, because arguments can never change."""
    arguments: FieldTable = {"x-queue-type": settings.queue_type}
    for name in _queues_of(settings, service):
        await channel.declare_queue(name, durable=True, arguments=arguments)


async def declare_step_queues(opened: Connection, settings: BrokerSettings, steps: Iterable[str]) -> None:
    """Declare the queues of steps of jobs. Their messages only say that there is work, so there is nothing to retry or
    to park: what is lost is published again."""
    arguments: FieldTable = {"x-queue-type": settings.queue_type}
    with translate_errors(settings):
        async with opened.channel() as channel:
            for step in steps:
                await channel.declare_queue(work_queue(settings, step), durable=True, arguments=arguments)


async def delete_step_queues(opened: Connection, settings: BrokerSettings, steps: Iterable[str]) -> None:
    """Delete the queues of these steps."""
    with translate_errors(settings):
        async with opened.channel() as channel:
            for step in steps:
                await channel.queue_delete(work_queue(settings, step))


def _queues_of(settings: BrokerSettings, service: str) -> list[str]:
    return [name(settings, service) for name in (work_queue, urgent_queue, failed_queue)]


def tier_arguments(settings: BrokerSettings, delay: float) -> dict[str, object]:
    """The arguments of a retry tier. They follow from its name, so they never change. The TTL belongs to the queue, not
    to the message, because RabbitMQ only expires messages at the head of a queue."""
    arguments: dict[str, object] = {
        "x-queue-type": settings.queue_type,
        "x-message-ttl": round(delay * 1000),
        "x-dead-letter-exchange": "",
    }
    if settings.queue_type == "quorum":
        # Without these two, a broker that stops between expiry and delivery loses the job.
        arguments |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    return arguments


async def _declare_tier(channel: AbstractChannel, settings: BrokerSettings, delay: float) -> None:
    name = retry_exchange(settings, delay)
    arguments: FieldTable = tier_arguments(settings, delay)  # type: ignore[assignment]  # a table of plain values
    exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.FANOUT, durable=True)
    queue = await channel.declare_queue(name, durable=True, arguments=arguments)
    await queue.bind(exchange)


async def delete_queues(opened: Connection, settings: BrokerSettings, services: Iterable[str]) -> None:
    """Delete the queues of these services and all their messages."""
    with translate_errors(settings):
        async with opened.channel() as channel:
            for service in services:
                for name in _queues_of(settings, service):
                    await channel.queue_delete(name)


async def delete_retry_tiers(opened: Connection, settings: BrokerSettings) -> None:
    """Delete the retry tiers and all jobs in them."""
    with translate_errors(settings):
        async with opened.channel() as channel:
            for delay in retry_tiers(settings):
                name = retry_exchange(settings, delay)
                await channel.queue_delete(name)
                await channel.exchange_delete(name)


async def depths(
    opened: Connection,
    settings: BrokerSettings,
    services: Iterable[str],
    *,
    queue: Callable[[BrokerSettings, str], str] = work_queue,
) -> dict[str, int]:
    """How many jobs are in the work queue of each service, or in another `queue` of each."""
    queues = {service: queue(settings, service) for service in services}
    with translate_errors(settings):
        found = await _depths(opened, list(queues.values()))
    return {service: found[name] for service, name in queues.items()}


async def count_waiting_retries(opened: Connection, settings: BrokerSettings) -> int:
    """How many jobs of any service are in the retry tiers."""
    with translate_errors(settings):
        return sum((await _depths(opened, [retry_exchange(settings, one) for one in retry_tiers(settings)])).values())


async def _depths(opened: Connection, queues: Sequence[str]) -> dict[str, int]:
    """Over one channel, as opening one takes several round trips; the broker closes it if a queue does not exist."""
    found: dict[str, int] = {}
    while left := [one for one in queues if one not in found]:
        with suppress(ChannelNotFoundEntity):
            async with opened.channel(publisher_confirms=False) as channel:
                for one in left:
                    found[one] = 0
                    queue = await channel.declare_queue(one, passive=True)
                    found[one] = queue.declaration_result.message_count or 0
    return found
