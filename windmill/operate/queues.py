"""The queues of the fleet: lengths, unacknowledged and parked jobs, consumers and rates."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from windmill import broker
from windmill.broker.management import QueueActivity, activity
from windmill.core.errors import WindmillError
from windmill.core.messages import decode
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.text.tables import render_table


@dataclass
class QueueLine:
    """The queues of one service, its urgent queue, or a retry tier. None means unknown; `declared` says whether the
    queue exists."""

    name: str
    declared: bool = False
    ready: int | None = None
    unacknowledged: int | None = None
    consumers: int | None = None
    publish_rate: float | None = None
    deliver_rate: float | None = None
    parked: int | None = None
    oldest_seconds: float | None = None


@dataclass
class QueueReport:
    """All queues; `management` says why the management API did not answer."""

    services: list[QueueLine] = field(default_factory=list)
    urgent: list[QueueLine] = field(default_factory=list)
    tiers: list[QueueLine] = field(default_factory=list)
    management: str | None = None

    @property
    def without_rates(self) -> bool:
        """Whether the API answers but the broker does not collect rates."""
        known = [line for line in (*self.services, *self.tiers) if line.unacknowledged is not None]
        return bool(known) and all(line.publish_rate is None for line in known)


async def read_queues(settings: BrokerSettings, services: Sequence[str], *, oldest: bool) -> QueueReport:
    """Lengths come over AMQP and are current; the management API is some seconds behind."""
    report = QueueReport()
    seen: dict[str, QueueActivity] = {}
    try:
        seen = await asyncio.to_thread(activity, settings)
    except WindmillError as error:
        report.management = error.message
    async with broker.connection(settings, "windmill queues") as opened:
        for service in services:
            line = await _line(opened, settings, service, broker.work_queue(settings, service), seen)
            failed = broker.failed_queue(settings, service)
            parked = (await broker.count_messages(opened, settings, [failed]))[failed]
            line.parked = parked.ready if parked else None
            if oldest and line.ready:
                line.oldest_seconds = await _age_of_head(opened, settings, broker.work_queue(settings, service))
            report.services.append(line)
        for service in services:
            report.urgent.append(await _urgent_line(opened, settings, service, seen, oldest=oldest))
        for delay in broker.retry_tiers(settings):
            queue = broker.retry_exchange(settings, delay)
            report.tiers.append(await _line(opened, settings, queue, queue, seen))
    return report


async def _urgent_line(
    opened: broker.Connection, settings: BrokerSettings, service: str, seen: dict[str, QueueActivity], *, oldest: bool
) -> QueueLine:
    """What was parked out of it is counted with the rest of the service."""
    queue = broker.urgent_queue(settings, service)
    line = await _line(opened, settings, f"{service} urgent", queue, seen)
    if oldest and line.ready:
        line.oldest_seconds = await _age_of_head(opened, settings, queue)
    return line


async def _line(
    opened: broker.Connection, settings: BrokerSettings, name: str, queue: str, seen: dict[str, QueueActivity]
) -> QueueLine:
    counted = (await broker.count_messages(opened, settings, [queue]))[queue]
    if counted is None:
        return QueueLine(name)
    line = QueueLine(name, declared=True, ready=counted.ready, consumers=counted.consumers)
    if queue in seen:
        line.unacknowledged = seen[queue].unacknowledged
        line.publish_rate = seen[queue].publish_rate
        line.deliver_rate = seen[queue].deliver_rate
    return line


async def _age_of_head(opened: broker.Connection, settings: BrokerSettings, queue: str) -> float | None:
    found: list[float] = []
    now = datetime.now(UTC)

    def see(message: broker.HeldMessage) -> None:
        try:
            found.append((now - decode(message.body, now).submitted_at).total_seconds())
        except WindmillError:
            return  # not a job; the worker will report it

    await broker.peek(opened, settings, queue, 1, see, asyncio.Event())
    return found[0] if found else None


def render_queues_table(report: QueueReport) -> str:
    """One line for each queue."""
    headings = ["queue", "ready", "unacked", "consumers", "in/s", "out/s", "oldest", "parked"]
    lines = [*report.services, *report.urgent, *report.tiers]
    text = render_table(headings, [_cells(line) for line in lines if line.declared])
    absent = [line.name for line in lines if not line.declared]
    return text + (f"not declared: {', '.join(absent)} (python -m windmill declare)\n" if absent else "")


def _cells(line: QueueLine) -> list[object]:
    return [
        line.name,
        line.ready,
        line.unacknowledged,
        line.consumers,
        line.publish_rate,
        line.deliver_rate,
        _render_age(line.oldest_seconds),
        line.parked,
    ]


def _render_age(seconds: float | None) -> str | None:
    """In its largest unit: 40s, 12m, 5h, 3d."""
    if seconds is None:
        return None
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f}s"


def render_queues_json(report: QueueReport) -> dict[str, object]:
    return asdict(report)
