"""Names of the queues and of the retry tiers; `queue_` is QUEUE_PREFIX.

queue_<service>           work
queue_<service>_urgent    work that overtakes the former
queue_<service>.failed    jobs of both that were given up, with the reason in their headers
queue_retry.<ms>          fanout exchange and queue of one fixed delay, shared by all services of the fleet: a job
                          published there with the routing key of a work queue returns to that queue after the delay
"""

from collections.abc import Mapping
from typing import Any

from windmill.core.messages import is_urgent
from windmill.core.services import URGENT_SUFFIX
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.flow.retry_backoff import jittered_delays


def work_queue(settings: BrokerSettings, service: str) -> str:
    return settings.queue_prefix + service


def urgent_queue(settings: BrokerSettings, service: str) -> str:
    return work_queue(settings, service) + URGENT_SUFFIX


def queue_of_job(settings: BrokerSettings, service: str, headers: Mapping[str, Any]) -> str:
    """The queue in which a job with these headers waits for the service."""
    return (urgent_queue if is_urgent(headers) else work_queue)(settings, service)


def failed_queue(settings: BrokerSettings, service: str) -> str:
    return work_queue(settings, service) + ".failed"


def retry_exchange(settings: BrokerSettings, delay: float) -> str:
    """The name of a retry tier, which its queue shares. Without the prefix, fleets on one virtual host would share
    their tiers, and one of them could not change the type of its queues."""
    return f"{tier_prefix(settings)}{round(delay * 1000)}"


def tier_prefix(settings: BrokerSettings) -> str:
    """The beginning of the name of every retry tier."""
    return f"{settings.queue_prefix}retry."


def retry_tiers(settings: BrokerSettings) -> list[float]:
    """The delays of all retry tiers, in seconds."""
    return sorted({one for delay in settings.retry_delays for one in jittered_delays(delay)})
