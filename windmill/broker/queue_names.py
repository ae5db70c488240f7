"""Names of the queues and of the retry tiers.

queue_<service>           work
queue_<service>.failed    jobs that were given up, with the reason in their headers
windmill.retry.<ms>       fanout exchange and queue of one fixed delay, shared by all services: a job published
                          there with routing key queue_<service> returns to that queue after the delay
"""

from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.flow.retry_backoff import jittered_delays


def work_queue(settings: BrokerSettings, service: str) -> str:
    return settings.queue_prefix + service


def failed_queue(settings: BrokerSettings, service: str) -> str:
    return work_queue(settings, service) + ".failed"


def retry_exchange(delay: float) -> str:
    """The name of a retry tier, which its queue shares."""
    return f"windmill.retry.{round(delay * 1000)}"


def retry_tiers(settings: BrokerSettings) -> list[float]:
    """The delays of all retry tiers, in seconds."""
    return sorted({one for delay in settings.retry_delays for one in jittered_delays(delay)})
