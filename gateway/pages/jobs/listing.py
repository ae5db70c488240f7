"""What the list of jobs shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode

from gateway.hiding import hide_paths_within
from gateway.pages.badges import Badge, badge
from windmill.jobs.states import ENDED_JOBS, JobStatus
from windmill.operate.jobs.serving import VisibleJobs
from windmill.operate.jobs.shown import Shown

MOST_COUNTED = 10_000
STATUSES: tuple[str, ...] = tuple(one for one in get_args(JobStatus) if one != "deleting")
OPEN = tuple(one for one in STATUSES if one not in ENDED_JOBS)


@dataclass(frozen=True)
class JobFilters:
    """As they stand in the address. `open` stands for every state in which a job goes on."""

    status: str = ""
    preset: str = ""
    code: str = ""

    @property
    def statuses(self) -> tuple[str, ...] | None:
        if not self.status:
            return None
        return OPEN if self.status == "open" else (self.status,)

    @property
    def visible(self) -> VisibleJobs:
        return VisibleJobs(self.statuses, self.preset or None, self.code or None)

    @property
    def asked(self) -> Mapping[str, str]:
        given = {"status": self.status, "preset": self.preset, "code": self.code}
        return {name: value for name, value in given.items() if value}

    def url(self, **more: str) -> str:
        asked = urlencode({**self.asked, **{name: value for name, value in more.items() if value}})
        return f"/ui/jobs?{asked}" if asked else "/ui/jobs"

    @property
    def words(self) -> str:
        """Which jobs these are."""
        parts = [self.status or "", "jobs"]
        parts += [f"of {self.preset}"] if self.preset else []
        parts += [f"with {self.code}"] if self.code else []
        return " ".join(filter(None, parts))


@dataclass(frozen=True)
class JobLine:
    """A job in the list."""

    public_id: str
    title: str
    state: Badge
    progress: float
    priority: int
    principal: str
    error_code: str | None
    message: str
    created_at: datetime
    seconds: float | None

    @property
    def short(self) -> str:
        return self.public_id[:8]


@dataclass(frozen=True)
class JobsView:
    """A page of jobs. `newer` have come since the first of them was shown."""

    lines: tuple[JobLine, ...]
    filters: JobFilters
    matching: int
    newer: int
    presets: tuple[str, ...]
    next_url: str
    first_url: str
    statuses: tuple[str, ...] = STATUSES
    most: int = MOST_COUNTED


def job_line(told: Shown) -> JobLine:
    started, ended = moment(told["started_at"]), moment(told["ended_at"])
    created = moment(told["created_at"])
    assert created
    return JobLine(
        public_id=str(told["public_id"]),
        title=told["preset"] or told["kind"],
        state=badge(told["status"]),
        progress=float(told["progress"]),
        priority=told["priority"],
        principal=told["principal"],
        error_code=told["error_code"],
        message=str(hide_paths_within(told["message"] or "")),
        created_at=created,
        seconds=(ended - started).total_seconds() if started and ended else None,
    )


def moment(value: Any) -> datetime | None:  # noqa: ANN401 - what a document holds
    return datetime.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, datetime) else None


def job_lines(found: Sequence[Shown]) -> tuple[JobLine, ...]:
    return tuple(map(job_line, found))
