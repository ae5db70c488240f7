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


class Run(TypedDict):
    """Images that were submitted to services: how far their answers are, and how many of these are failures."""

    run_id: int
    services: list[str]
    group: str | None
    status: str
    images: int
    jobs: int
    answered: int
    failed: int | None
    progress: float
    eta_seconds: float | None
    ended_at: str | None
    note: str | None


class Box(TypedDict):
    """A thing in a picture: where in pixels (x, y, width, height), and which services saw it."""

    label: str
    emoji: str
    confidence: float | None
    place: list[float] | None
    services: list[str]
    silent: list[str]
    answers: list[dict[str, Any]]


class Vote(TypedDict):
    """What a picture shows, how likely that is, and why."""

    emoji: str
    probability: float | None
    sentence: str


class ImageResult(TypedDict):
    """What services said of an image, and what was found in it; while any stage is open, boxes and votes may change."""

    image_id: int
    name: str
    copy_of: int | None
    answers: list[dict[str, Any]]
    boxes: list[Box]
    votes: list[Vote] | None
    open_stages: list[str]


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
