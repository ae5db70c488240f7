"""What the gateway answers, as types; /openapi.json tells all of it."""

from typing import Any, TypedDict


class Step(TypedDict):
    """A step of a job."""

    name: str
    step: str
    status: str
    skip_reason: str | None
    planned: int
    settled: int
    failed: int
    waited: float
    ran: float


class Job(TypedDict):
    """A job; one of a list has no steps, and nothing below them."""

    public_id: str
    kind: str
    preset: str | None
    status: str
    priority: int
    principal: str
    progress: float
    error_code: str | None
    message: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    steps: list[Step]
    warnings: list[str]
    eta_seconds: float | None


class JobPage(TypedDict):
    """Some jobs; the next page is asked for with the cursor."""

    jobs: list[Job]
    count: int
    next_cursor: str | None


class Event(TypedDict):
    """Something that has happened to a job."""

    seq: int
    at: str
    kind: str
    level: str
    position: int | None
    shard: int | None
    data: dict[str, Any]


class MutedFailures(TypedDict):
    """Failures of a service with one code, or without any, that are listed apart; times are ISO 8601."""

    service: str
    code: str | None
    reason: str
    principal: str
    muted_at: str
    muted_until: str | None


class Artifact(TypedDict):
    """A file of a job; its id is its SHA-256."""

    id: str
    step: str | None
    shard: int
    name: str
    media_type: str
    bytes: int
    created_at: str
