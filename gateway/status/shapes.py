"""The status of the fleet outside, as `windmill status --json` tells it. What is unknown is null."""

from datetime import datetime

from gateway.shape import Shape


class WantedShape(Shape):
    """What people want of a service or a step, or of all (`*`), against what is configured."""

    name: str
    paused: bool
    paused_until: datetime | None
    reason: str
    concurrency: int | None
    owner: str
    version: int
    changed_at: datetime | None


class ServiceFigures(Shape):
    """`queued` includes what is `urgent`; `retrying` is an estimate."""

    done: int | None
    failed: int | None
    queued: int | None
    urgent: int | None
    in_flight: int | None
    retrying: int | None
    parked: int | None
    rate: float | None
    eta_seconds: float | None
    breaker: str | None
    breaker_open: int
    breaker_reason: str | None
    workers: int | None
    lost: int | None
    p50: float | None
    failures: dict[str, int] | None


class ServiceLine(ServiceFigures):
    service: str


class WorkerShape(Shape):
    """The last heartbeat of one service or step in one process."""

    service: str
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
    job_seconds: float | None
    done: int
    failed: int
    retried: int
    unavailable: int
    rate: float
    retry_rate: float
    in_progress: int
    concurrency: int
    concurrency_auto: bool
    breaker: str
    breaker_reason: str | None


class WorkerList(Shape):
    workers: list[WorkerShape]
    count: int


class BacklogShape(Shape):
    stage: str
    marks: int
    overdue_seconds: float | None


class StepLine(Shape):
    """`paused` says why its tasks are put off, if an engine is away."""

    step: str
    claimable: int
    running: int
    expired: int
    put_off: int
    waiting: int
    unplanned: int
    workers: int
    paused: str | None


class StatusAnswer(Shape):
    """`database` and `broker` say why one of them did not answer."""

    images: int | None
    copies: int | None
    unsubmitted: int
    at: datetime | None
    retrying: int | None
    eta_seconds: float | None
    uncalibrated: bool
    converted: float | None
    database: str | None
    broker: str | None
    services: list[ServiceLine]
    workers: list[WorkerShape]
    backlog: list[BacklogShape]
    steps: list[StepLine]
    jobs: dict[str, int]
    wanted: list[WantedShape]
