"""Whether a worker may hold a job longer than the broker's consumer timeout, and so would never finish it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from windmill.broker import urgent_queue, work_queue
from windmill.core.services import Service
from windmill.core.setting_parts import BrokerSettings, CallSettings
from windmill.core.settings import Settings
from windmill.operate.doctor.findings import DoctorFinding, ok, warning
from windmill.operate.doctor.topology.judge_policies import effective_policy

DEFAULT_SECONDS = 1800.0
"""RabbitMQ's default. No API returns the timeout unless a policy sets it."""
READ_SECONDS = 60.0
"""For reading the image twice."""
CALLS = 5
"""The job's own call, one that it waits for in the worker, and three with a test image."""


def longest_hold(settings: CallSettings, service: Service) -> float:
    """The longest time that a worker holds one job, in seconds."""
    return CALLS * float(settings.request_timeout or service.timeout_seconds) + READ_SECONDS


def judge_consumer_timeout(
    settings: Settings, services: Iterable[Service], policies: Sequence[Mapping[str, Any]]
) -> list[DoctorFinding]:
    held = {service.name: longest_hold(settings, service) for service in services}
    found = [finding for service, seconds in held.items() for finding in _one(settings, service, seconds, policies)]
    most = max(held.values(), default=0.0)
    said = f"no job is held for more than {most:g} s; RabbitMQ allows {DEFAULT_SECONDS:g} s unless it is told otherwise"
    return found or [ok("topology", "consumer timeout", said)]


def _one(
    settings: BrokerSettings, service: str, held: float, policies: Sequence[Mapping[str, Any]]
) -> list[DoctorFinding]:
    allowed = min(_allowed(settings, queue(settings, service), policies) for queue in (work_queue, urgent_queue))
    if held <= allowed:
        return []
    said = f"a job of {service} may be held for {held:g} s, and RabbitMQ takes it back after {allowed:g} s"
    remedy = "raise consumer_timeout in rabbitmq.conf or the policy, or lower timeout_seconds or REQUEST_TIMEOUT"
    return [warning("topology", "consumer timeout", said, remedy)]


def _allowed(settings: BrokerSettings, queue: str, policies: Sequence[Mapping[str, Any]]) -> float:
    rules = effective_policy(policies, queue, settings.queue_type)
    configured = (rules or {}).get("definition", {}).get("consumer-timeout")
    return configured / 1000 if isinstance(configured, int) else DEFAULT_SECONDS
