"""RabbitMQ: queue names and declarations, publishing with confirms, consuming. Only this package imports the driver."""

from windmill.broker.connection import Connection, connection, translate_errors
from windmill.broker.consumer import Consumer, Delivery, OnDelivery, ServiceConsumers, queue_consumer, service_consumers
from windmill.broker.publishing import Headers, Publisher, publisher
from windmill.broker.queue_counts import QueueCount, count_messages
from windmill.broker.queue_names import (
    failed_queue,
    queue_of_job,
    retry_exchange,
    retry_tiers,
    tier_prefix,
    urgent_queue,
    work_queue,
)
from windmill.broker.queue_walk import MAX_UNACKNOWLEDGED, Drop, EndWalk, HeldMessage, Move, WalkDecision, peek, walk
from windmill.broker.topology import (
    count_waiting_retries,
    declare,
    declare_step_queues,
    delete_queues,
    delete_retry_tiers,
    delete_step_queues,
    depths,
    tier_arguments,
)

__all__ = [
    "MAX_UNACKNOWLEDGED",
    "Connection",
    "Consumer",
    "Delivery",
    "Drop",
    "EndWalk",
    "Headers",
    "HeldMessage",
    "Move",
    "OnDelivery",
    "Publisher",
    "QueueCount",
    "ServiceConsumers",
    "WalkDecision",
    "connection",
    "count_messages",
    "count_waiting_retries",
    "declare",
    "declare_step_queues",
    "delete_queues",
    "delete_retry_tiers",
    "delete_step_queues",
    "depths",
    "failed_queue",
    "peek",
    "publisher",
    "queue_consumer",
    "queue_of_job",
    "retry_exchange",
    "retry_tiers",
    "service_consumers",
    "tier_arguments",
    "tier_prefix",
    "translate_errors",
    "urgent_queue",
    "walk",
    "work_queue",
]
