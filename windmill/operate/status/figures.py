"""The fleet as numbers: what is known of each service and worker, and what follows from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from windmill.process.heartbeat import HeartbeatRow

FRESH_SECONDS = 25.0
"""Two heartbeats and a half: who was silent for longer does nothing now, whether lost already or not."""


@dataclass(frozen=True)
class Worker(HeartbeatRow):
    """The last beat of one service of one process that runs, or that is lost: silent for too long without having said
    goodbye. Its `job_seconds` count until now."""

    process: str
    worker_id: str
    host: str
    pid: int
    lost: bool
    started_at: datetime
    heartbeat_at: datetime
    last_job_at: datetime | None
    up_seconds: float
    silent_seconds: float

    @property
    def fresh(self) -> bool:
        """Whether what it said of its speed holds."""
        return not self.lost and self.silent_seconds < FRESH_SECONDS


@dataclass
class ServiceStatus:
    """One service. None stands for what cannot be known now; `retrying` is its likely share of the retry tiers."""

    service: str
    done: int = 0
    failed: int = 0
    queued: int | None = None
    in_flight: int | None = None
    retrying: int | None = None
    parked: int | None = None
    rate: float | None = None
    eta_seconds: float | None = None
    breaker: str | None = None
    breaker_open: int = 0
    breaker_reason: str | None = None
    workers: int | None = None
    lost: int | None = None
    p50: float | None = None
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Backlog:
    """Open work of one stage of the post-processing; `marks` are counted no further than MOST_MARKS."""

    stage: str
    marks: int
    overdue_seconds: float | None


MOST_MARKS = 100_000


@dataclass
class FleetStatus:
    """All of it; `database` and `broker` say why they cannot be asked."""

    images: int
    services: list[ServiceStatus]
    at: datetime | None = None
    retrying: int | None = None
    eta_seconds: float | None = None
    workers: list[Worker] = field(default_factory=list)
    backlog: list[Backlog] = field(default_factory=list)
    database: str | None = None
    broker: str | None = None


def add_workers(services: Iterable[ServiceStatus], workers: Sequence[Worker]) -> None:
    """What the workers of each service say together."""
    for service in services:
        own = [worker for worker in workers if worker.service == service.service]
        live = [worker for worker in own if not worker.lost]
        service.workers, service.lost = len(live), len(own) - len(live)
        service.rate = sum(worker.rate for worker in live if worker.fresh)
        service.in_flight = sum(worker.in_progress for worker in live if worker.fresh)
        _add_breaker(service, live)


def _add_breaker(service: ServiceStatus, live: Sequence[Worker]) -> None:
    """Open when any live worker has it open."""
    states = {worker.breaker: worker for worker in reversed(live)}
    worst = next((state for state in ("open", "half-open", "closed") if state in states), None)
    service.breaker = worst
    service.breaker_open = sum(worker.breaker == "open" for worker in live)
    service.breaker_reason = states[worst].breaker_reason if worst else None


def share_out(retrying: int, workers: Iterable[Worker]) -> dict[str, int]:
    """The jobs in the retry tiers by service, in the proportion in which jobs were sent there in the last minute."""
    rates: dict[str, float] = {}
    for worker in workers:
        rates[worker.service] = rates.get(worker.service, 0.0) + worker.retry_rate
    total = sum(rates.values())
    return {service: round(retrying * rate / total) for service, rate in rates.items()} if total else {}


def add_etas(status: FleetStatus) -> None:
    """When each service is done at the rate of now, and when the last one is."""
    if status.retrying is not None and not status.database:
        shares: Mapping[str, int] = share_out(status.retrying, status.workers)
        for service in status.services:
            service.retrying = shares.get(service.service, 0)
    for service in status.services:
        service.eta_seconds = eta(service.queued, service.in_flight, service.retrying, service.rate)
    etas = [service.eta_seconds for service in status.services]
    known = [one for one in etas if one is not None]
    status.eta_seconds = max(known) if known and len(known) == len(etas) else None


def eta(queued: int | None, in_flight: int | None, retrying: int | None, rate: float | None) -> float | None:
    """Seconds until nothing is left, or None when that cannot be told: jobs wait and nobody does any."""
    if queued is None or in_flight is None or rate is None:
        return None
    left = queued + in_flight + (retrying or 0)
    if not left:
        return 0.0
    return round(left / rate, 1) if rate > 0 else None
