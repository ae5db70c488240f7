"""How far a run is, and when it will be done. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from windmill.operate.status.figures import ServiceStatus

MOST_COUNTED = 100_000
"""Answers of a run are counted up to this; of a longer one, what waits in the queues is subtracted."""


@dataclass(frozen=True)
class RunRow:
    """A row of `runs`; `principal` is None for the runs of producers, whose end nobody notes."""

    run_id: int
    services: tuple[str, ...]
    selection: str
    image_group: str | None
    urgent: bool
    principal: str | None
    first_image_id: int
    until_image_id: int
    last_image_id: int
    images: int
    jobs: int
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None
    ended_at: datetime | None

    @property
    def published(self) -> float:
        """The share of its images that was looked at."""
        whole = self.until_image_id - self.first_image_id
        return 1.0 if self.finished_at or whole <= 0 else (self.last_image_id - self.first_image_id) / whole


@dataclass(frozen=True)
class RunAnswers:
    """How many of the jobs of a service have an answer, and how many of these are failures."""

    answered: int
    failed: int


@dataclass(frozen=True)
class RunOutlook:
    """`exact` is false for a run that is too long to be counted: then `answered` is at least so many, and `failed` is
    unknown. `progress` is from 0 to 1."""

    status: str
    answered: int
    failed: int | None
    exact: bool
    progress: float
    eta_seconds: float | None


def outlook(run: RunRow, counted: Mapping[str, RunAnswers] | None, services: Mapping[str, ServiceStatus]) -> RunOutlook:
    """What follows from the counted answers, or without them from the queues."""
    jobs = run.jobs / max(len(run.services), 1)
    left = {name: _left(name, jobs, counted, services) for name in run.services}
    failed = None if counted is None else sum(one.failed for one in counted.values())
    answered = max(round(run.jobs - sum(left.values())), 0)
    settled = answered >= run.jobs or run.ended_at is not None
    share = (1.0 if not run.jobs else answered / run.jobs) * run.published
    status = _status(run, settled=settled)
    eta = 0.0 if status in ("succeeded", "cancelled") else _eta(run, jobs, left, services)
    return RunOutlook(status, answered, failed, counted is not None, round(share, 4), eta)


def _left(
    name: str, jobs: float, counted: Mapping[str, RunAnswers] | None, services: Mapping[str, ServiceStatus]
) -> float:
    """How many jobs of a service have no answer yet."""
    if counted is not None:
        found = counted.get(name)
        return max(jobs - (found.answered if found else 0), 0.0)
    known = services.get(name)
    waiting = (known.queued or 0) + (known.in_flight or 0) + (known.retrying or 0) if known else 0
    return min(jobs, float(waiting))


def _status(run: RunRow, *, settled: bool) -> str:
    if run.cancelled_at:
        return "cancelled"
    if run.finished_at is None:
        return "publishing" if run.last_image_id > run.first_image_id else "queued"
    return "succeeded" if settled else "running"


def _eta(run: RunRow, jobs: float, left: Mapping[str, float], services: Mapping[str, ServiceStatus]) -> float | None:
    """Seconds until the slowest service is done; None while one stands still, or nothing was published."""
    if not run.published:
        return None
    unpublished = jobs / run.published - jobs
    longest = 0.0
    for name, open_jobs in left.items():
        known = services.get(name)
        rate = known.rate or 0.0 if known and known.breaker in (None, "closed") else 0.0
        if open_jobs + unpublished <= 0:
            continue
        if rate <= 0:
            return None
        longest = max(longest, (open_jobs + unpublished) / rate)
    return round(longest, 1)
