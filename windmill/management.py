"""RabbitMQ's management API: limits of queues as policies, which unlike a queue's arguments can change at any time."""

import re
from collections.abc import Iterable
from urllib.parse import quote

import requests

from windmill.broker import failed_queue, work_queue
from windmill.errors import WindmillError
from windmill.settings import Settings

DELIVERY_LIMIT = 20
ASK_SECONDS = 10.0


def limit_deliveries(settings: Settings, services: Iterable[str], limit: int = DELIVERY_LIMIT) -> None:
    """A job that was handed out more than `limit` times, because each time a worker died over it, is parked.

    Since 4.0 RabbitMQ has such a limit of its own, and drops the job where no policy says what to do with it.
    """
    if settings.queue_type != "quorum":
        return  # classic queues do not count deliveries
    with requests.Session() as session:
        session.auth = (settings.queue_user, settings.queue_password)
        if settings.queue_tls_ca:
            session.verify = str(settings.queue_tls_ca)
        for service in services:
            _put_policy(session, settings, work_queue(settings, service), failed_queue(settings, service), limit)


def _put_policy(session: requests.Session, settings: Settings, queue: str, parked: str, limit: int) -> None:
    definition = {
        "delivery-limit": limit,
        "dead-letter-exchange": "",
        "dead-letter-routing-key": parked,
        # Only together do these two keep a job safe between leaving one queue and reaching the other.
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }
    policy = {"pattern": f"^{re.escape(queue)}$", "definition": definition, "apply-to": "queues", "priority": 1}
    scheme = "https" if settings.queue_tls else "http"
    where = f"{scheme}://{settings.queue_host}:{settings.queue_management_port}"
    path = f"/api/policies/{quote(settings.queue_vhost, safe='')}/{quote(queue, safe='')}"
    try:
        answer = session.put(where + path, json=policy, timeout=ASK_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise WindmillError("CONFIG_INVALID", f"the management API at {where}: {error}", _REMEDY) from error


_REMEDY = "enable rabbitmq_management, correct QUEUE_MANAGEMENT_PORT, and give QUEUE_USER the tag policymaker"
