"""Asking the broker for the numbers of single queues: what it tells over AMQP, without the management API."""

from collections.abc import Iterable
from dataclasses import dataclass

from aio_pika.exceptions import ChannelNotFoundEntity

from windmill.broker.connection import Connection, converted
from windmill.core.setting_parts import BrokerSettings


@dataclass(frozen=True)
class Count:
    """One queue: the messages that wait to be handed out, and who asks for them."""

    ready: int
    consumers: int


async def count(opened: Connection, settings: BrokerSettings, queues: Iterable[str]) -> dict[str, Count | None]:
    """The numbers of each queue; None where there is no such queue."""
    with converted(settings):
        return {queue: await _count(opened, queue) for queue in queues}


async def _count(opened: Connection, queue: str) -> Count | None:
    """A channel for each question, because the broker closes it when there is no such queue."""
    try:
        async with opened.channel() as channel:
            answer = (await channel.declare_queue(queue, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return None
    return Count(answer.message_count or 0, answer.consumer_count or 0)
