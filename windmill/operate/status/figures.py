"""The status of the fleet as numbers: services, workers, backlog, and the estimates that follow from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from windmill.core.wanted_states import WantedState
from windmill.process.heartbeat import HeartbeatRow

FRESH_SECONDS = 25.0
"""Two and a half heartbeats: the rates of a worker that was silent for longer are out of date."""


@dataclass(frozen=True)
class Worker(HeartbeatRow):
    """The last heartbeat of one service in one process. A process is lost when it was silent for too long and had not
    said that it stops. `job_seconds` count until now."""

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
        """Whether its rates are up to date."""
        return not self.lost and self.silent_seconds < FRESH_SECONDS


@dataclass
class ServiceStatus:
    """One service. None means unknown; `queued` includes those that are `urgent`, and `retrying` is its
    estimated share of the retry tiers."""

    service: str
    done: int = 0
    failed: int = 0
    queued: int | None = None
    urgent: int | None = None
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
    """Open marks of one stage of post-processing, counted up to MOST_MARKS."""

    stage: str
    marks: int
    overdue_seconds: float | None


@dataclass(frozen=True)
class StepStatus:
    """What there is to do for a step of jobs: a row of the view step_work, which counts up to MOST_TASKS of each. No
    worker that is alive serves it if `workers` is 0."""

    step: str
    claimable: int
    running: int
    expired: int
    put_off: int
    waiting: int
    unplanned: int
    workers: int
    paused: str | None = None
    """Why tasks of the step are put off: an engine is away, as one of its workers says."""


MOST_MARKS = 100_000
MOST_TASKS = 10_000
MOST_UNSUBMITTED = 10_000


@dataclass
class FleetStatus:
    """The whole status; `copies` are the images that share the results of others. `database` and `broker` hold the
    errors of those that did not answer."""

    images: int
    services: list[ServiceStatus]
    at: datetime | None = None
    retrying: int | None = None
    eta_seconds: float | None = None
    workers: list[Worker] = field(default_factory=list)
    backlog: list[Backlog] = field(default_factory=list)
    database: str | None = None
    broker: str | None = None
    unsubmitted: int = 0
    """Images that no run submitted to any service, counted up to MOST_UNSUBMITTED."""
    uncalibrated: bool = False
    """Whether boxes and votes rest on the shipped calibration, of which nothing was fitted on this fleet."""
    converted: float | None = None
    """The share of derived rows of an older form that is converted; None if there are none."""
    copies: int | None = 0
    steps: list[StepStatus] = field(default_factory=list)
    jobs: dict[str, int] = field(default_factory=dict)
    """Jobs that have not ended, by status."""
    wanted: list[WantedState] = field(default_factory=list)
    """What people want of services and steps against what is configured."""


def add_workers(services: Iterable[ServiceStatus], workers: Sequence[Worker]) -> None:
    """Add up what the workers of each service report."""
    for service in services:
        own = [worker for worker in workers if worker.service == service.service]
        live = [worker for worker in own if not worker.lost]
        service.workers, service.lost = len(live), len(own) - len(live)
        service.rate = sum(worker.rate for worker in live if worker.fresh)
        service.in_flight = sum(worker.in_progress for worker in live if worker.fresh)
        _add_breaker(service, live)


def _add_breaker(service: ServiceStatus, live: Sequence[Worker]) -> None:
    """The breaker of a service is open when it is open in any live worker."""
    states = {worker.breaker: worker for worker in reversed(live)}
    worst = next((state for state in ("open", "half-open", "closed") if state in states), None)
    service.breaker = worst
    service.breaker_open = sum(worker.breaker == "open" for worker in live)
    service.breaker_reason = states[worst].breaker_reason if worst else None


def share_retries(retrying: int, workers: Iterable[Worker]) -> dict[str, int]:
    """The jobs in the retry tiers by service, shared in proportion to the retries of the last minute."""
    rates: dict[str, float] = {}
    for worker in workers:
        rates[worker.service] = rates.get(worker.service, 0.0) + worker.retry_rate
    total = sum(rates.values())
    return {service: round(retrying * rate / total) for service, rate in rates.items()} if total else {}


def add_etas(status: FleetStatus) -> None:
    """When each service is done at its current rate, and when all are."""
    if status.retrying is not None and not status.database:
        shares: Mapping[str, int] = share_retries(status.retrying, status.workers)
        for service in status.services:
            service.retrying = shares.get(service.service, 0)
    for service in status.services:
        # While a service is down, and for some time after, its rate is that of before and says nothing of the end.
        rate = service.rate if service.breaker in (None, "closed") else 0.0
        service.eta_seconds = eta(service.queued, service.in_flight, service.retrying, rate)
    etas = [service.eta_seconds for service in status.services]
    known = [one for one in etas if one is not None]
    status.eta_seconds = max(known) if known and len(known) == len(etas) else None


def eta(queued: int | None, in_flight: int | None, retrying: int | None, rate: float | None) -> float | None:
    """Seconds until no job is left; None if jobs wait and no worker does any, or a number is unknown."""
    if queued is None or in_flight is None or rate is None:
        return None
    left = queued + in_flight + (retrying or 0)
    if not left:
        return 0.0
    return round(left / rate, 1) if rate > 0 else None
