"""What the queues are called, and how long the retry tiers hold a job.

queue_<service>           work
queue_<service>.failed    jobs that were given up, with the reason in their headers
windmill.retry.<ms>       fanout exchange and queue of one fixed delay, shared by all services: a job published
                          there with routing key queue_<service> comes back to that queue when the delay is over
"""

from windmill.core.setting_parts import BrokerSettings

SPREAD = (0.8, 1.0, 1.2)
"""Each delay has a tier a little shorter and one a little longer: jobs that failed together do not return together."""


def work_queue(settings: BrokerSettings, service: str) -> str:
    return settings.queue_prefix + service


def failed_queue(settings: BrokerSettings, service: str) -> str:
    return work_queue(settings, service) + ".failed"


def retry_exchange(delay: float) -> str:
    """The name of a tier, and of its queue."""
    return f"windmill.retry.{round(delay * 1000)}"


def spread(delay: float) -> tuple[float, ...]:
    """The tiers of one of RETRY_DELAYS, in seconds; whole milliseconds, and never none."""
    return tuple(max(round(delay * factor, 3), 0.001) for factor in SPREAD)


def tiers(settings: BrokerSettings) -> list[float]:
    """The delays of all retry tiers, in seconds."""
    return sorted({one for delay in settings.retry_delays for one in spread(delay)})
