"""RabbitMQ: the only package that knows the driver. Names and declares queues, publishes with confirms, consumes."""

from windmill.broker.connection import Connection, connection, converted
from windmill.broker.consuming import Consumption, Delivery, Take, consumption, queue_consumption
from windmill.broker.counting import Count, count
from windmill.broker.names import failed_queue, retry_exchange, spread, tiers, work_queue
from windmill.broker.publishing import Headers, Publisher, publisher
from windmill.broker.topology import (
    declare,
    delete_queues,
    depths,
    tier_arguments,
    waiting_to_be_retried,
)
from windmill.broker.walking import MOST_HELD, Decision, Drop, End, Message, Move, look, walk

__all__ = [
    "MOST_HELD",
    "Connection",
    "Consumption",
    "Count",
    "Decision",
    "Delivery",
    "Drop",
    "End",
    "Headers",
    "Message",
    "Move",
    "Publisher",
    "Take",
    "connection",
    "consumption",
    "converted",
    "count",
    "declare",
    "delete_queues",
    "depths",
    "failed_queue",
    "look",
    "publisher",
    "queue_consumption",
    "retry_exchange",
    "spread",
    "tier_arguments",
    "tiers",
    "waiting_to_be_retried",
    "walk",
    "work_queue",
]
