"""RabbitMQ's management API: policies that set the limits of queues (a queue's arguments can never change, policies
can), and rates that AMQP does not offer."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from windmill.broker import failed_queue, urgent_queue, work_queue
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.net.server_addresses import bracketed

ASK_SECONDS = 10.0
_REMEDY = "enable rabbitmq_management, correct QUEUE_MANAGEMENT_PORT, and give QUEUE_USER the tag policymaker"
TOTALS = "disable_stats=true&enable_queue_totals=true"
"""Queues without statistics, which are costly and deprecated, but with their message counts of some seconds ago."""
_RATES = ("name", "message_stats.publish_details.rate", "message_stats.deliver_get_details.rate")


@dataclass(frozen=True)
class QueueActivity:
    """The activity of one queue some seconds ago; None where the management API has no data yet, and for rates that
    the broker does not collect."""

    unacknowledged: int | None
    publish_rate: float | None
    deliver_rate: float | None


def limit_deliveries(settings: BrokerSettings, services: Iterable[str], limit: int | None = None) -> None:
    """Set policies that dead-letter a job into the failed queue after `limit` deliveries (DELIVERY_LIMIT), each of
    which crashed a worker. The failed queues themselves have no limit.

    Since 4.0 RabbitMQ limits deliveries of every quorum queue by default, and drops the message unless a policy
    dead-letters it.
    """
    if settings.queue_type != "quorum":
        return  # classic queues do not count deliveries
    with _api(settings) as api:
        version = api.get("/api/overview").get("rabbitmq_version", "")
        for queue, definition in policies(settings, services, version, limit).items():
            api.put_policy(queue, definition)


def policies(
    settings: BrokerSettings, services: Iterable[str], version: str, limit: int | None = None
) -> dict[str, dict[str, object]]:
    """The policy of each queue of these services, for a broker of this version."""
    most = settings.delivery_limit if limit is None else limit
    wanted: dict[str, dict[str, object]] = {}
    for service in services:
        failed = failed_queue(settings, service)
        for queue in (work_queue, urgent_queue):
            wanted[queue(settings, service)] = _dead_lettering(most, failed)
        if _has_default_limit(version):
            wanted[failed] = {"delivery-limit": -1}
    return wanted


def _dead_lettering(limit: int, parked: str) -> dict[str, object]:
    return {
        "delivery-limit": limit,
        "dead-letter-exchange": "",
        "dead-letter-routing-key": parked,
        # Both are needed to keep a job safe on the way from one queue to the other.
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    }


def _has_default_limit(version: str) -> bool:
    """Whether this RabbitMQ has a default delivery limit, and so accepts -1 for none."""
    major = version.partition(".")[0]
    return major.isdigit() and int(major) >= 4


def activity(settings: BrokerSettings) -> dict[str, QueueActivity]:
    """The activity of each queue of the virtual host."""
    with _api(settings) as api:
        queues = api.get(f"/api/queues/{api.vhost}?{TOTALS}")
        rates = {}
        if collects_statistics(api.get("/api/overview")):
            rates = {queue["name"]: queue for queue in api.get(f"/api/queues/{api.vhost}?columns={','.join(_RATES)}")}
        return {queue["name"]: _activity(queue, rates.get(queue["name"])) for queue in queues}


def collects_statistics(overview: Mapping[str, Any]) -> bool:
    """Whether the management plugin collects statistics. RabbitMQ has deprecated them since 4.0 and can be set to do
    without (deprecated_features.permit.management_metrics_collection)."""
    return not overview.get("disable_stats")


def _activity(totals: Mapping[str, Any], rates: Mapping[str, Any] | None) -> QueueActivity:
    unacknowledged = totals.get("messages_unacknowledged")
    if rates is None:
        return QueueActivity(unacknowledged, None, None)
    stats = rates.get("message_stats") or {}
    # The API leaves out the rates of an idle queue.
    publish, deliver = stats.get("publish_details") or {}, stats.get("deliver_get_details") or {}
    return QueueActivity(unacknowledged, publish.get("rate", 0.0), deliver.get("rate", 0.0))


@dataclass(frozen=True)
class ManagementReply:
    """A reply of the API, and the broker's date."""

    status: int
    document: Any
    date: str


def ask(settings: BrokerSettings, path: str, seconds: float = ASK_SECONDS) -> ManagementReply:
    """GET one path of the API, whatever it returns; for the doctor."""
    with _api(settings) as api:
        return api.ask(f"/api/{path}", seconds)


def quoted_vhost(settings: BrokerSettings) -> str:
    """The virtual host, quoted for a path."""
    return quote(settings.queue_vhost, safe="")


class _Api:
    def __init__(self, session: requests.Session, settings: BrokerSettings) -> None:
        scheme, port = "https" if settings.queue_tls else "http", settings.queue_management_port
        self._nodes = [f"{scheme}://{bracketed(server.host)}:{port}" for server in settings.queue_servers()]
        self.vhost = quoted_vhost(settings)
        self._session = session

    @property
    def where(self) -> str:
        return ", ".join(self._nodes)

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        answer = self._request("GET", path, ASK_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def ask(self, path: str, seconds: float) -> ManagementReply:
        """GET a path; a failing health check answers 503, which is a normal reply here."""
        answer = self._request("GET", path, seconds)
        if answer.status_code != requests.codes.unavailable:
            answer.raise_for_status()
        return ManagementReply(answer.status_code, answer.json(), answer.headers.get("Date", ""))

    def put_policy(self, queue: str, definition: dict[str, object]) -> None:
        """Set the policy of one queue, named like the queue."""
        policy = {"pattern": f"^{re.escape(queue)}$", "definition": definition, "apply-to": "queues", "priority": 1}
        path = f"/api/policies/{self.vhost}/{quote(queue, safe='')}"
        self._request("PUT", path, ASK_SECONDS, policy).raise_for_status()

    def _request(self, method: str, path: str, seconds: float, document: object = None) -> requests.Response:
        """Try each node until one answers; nodes that do not answer move to the end of the list."""
        for _ in self._nodes[1:]:
            try:
                return self._session.request(method, self._nodes[0] + path, timeout=seconds, json=document)
            except (requests.ConnectionError, requests.Timeout):
                self._nodes.append(self._nodes.pop(0))
        return self._session.request(method, self._nodes[0] + path, timeout=seconds, json=document)


@contextmanager
def _api(settings: BrokerSettings) -> Iterator[_Api]:
    with requests.Session() as session:
        session.auth = (settings.queue_user, settings.queue_password)
        if settings.queue_tls_ca:
            session.verify = str(settings.queue_tls_ca)
        api = _Api(session, settings)
        try:
            yield api
        except requests.RequestException as error:
            raise WindmillError(
                "BROKER_UNAVAILABLE" if _is_unreachable(error) else "CONFIG_INVALID",
                f"the management API at {api.where}: {error}",
                _REMEDY,
            ) from error


def _is_unreachable(error: requests.RequestException) -> bool:
    """A bad certificate counts as an answer: the settings have to change, not the server."""
    silent = isinstance(error, requests.ConnectionError | requests.Timeout)
    return silent and not isinstance(error, requests.exceptions.SSLError)
