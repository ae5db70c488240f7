"""Message and consumer counts of queues, over AMQP instead of the management API."""

from collections.abc import Iterable
from dataclasses import dataclass

from aio_pika.exceptions import ChannelNotFoundEntity

from windmill.broker.connection import Connection, translate_errors
from windmill.core.setting_parts import BrokerSettings


@dataclass(frozen=True)
class QueueCount:
    """One queue: messages ready for delivery, and consumers."""

    ready: int
    consumers: int


async def count_messages(
    opened: Connection, settings: BrokerSettings, queues: Iterable[str]
) -> dict[str, QueueCount | None]:
    """The counts of each queue; None if it does not exist."""
    with translate_errors(settings):
        return {queue: await _count(opened, queue) for queue in queues}


async def _count(opened: Connection, queue: str) -> QueueCount | None:
    """Uses a channel per queue, because the broker closes it if the queue does not exist."""
    try:
        async with opened.channel() as channel:
            answer = (await channel.declare_queue(queue, passive=True)).declaration_result
    except ChannelNotFoundEntity:
        return None
    return QueueCount(answer.message_count or 0, answer.consumer_count or 0)
