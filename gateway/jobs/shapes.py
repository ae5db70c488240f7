"""Jobs outside: what is sent and what is answered."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Discriminator, Field, StrictBool, StrictInt, Tag

from gateway.shape import JsonObject, PageQuery, Shape
from gateway.video_jobs.shapes import VideoJobBody
from gateway.webhooks.shapes import Events, Url
from windmill.jobs.states import JobStatus

Priority = Annotated[StrictInt, Field(ge=-9, le=9)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class JobWebhookBody(Shape):
    """Where to tell of the job, by signed messages. If you have no webhook to this address, one is made for the jobs
    that name it, and the answer has its secret, this once. `events` are those of its end, unless you say others."""

    url: Url
    events: Events | None = None


class NewJobBody(Shape):
    """A preset with its inputs; files are named by the ids of artifacts."""

    preset: Name = Field(examples=["cinematic_portrait_v1"])
    inputs: JsonObject = Field(default={}, examples=[{"prompt": "a lighthouse"}])
    quality: Name | None = None
    engines: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    consent_given: StrictBool = False
    priority: Priority | None = None
    dedupe_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    on_duplicate: Literal["return", "reject", "rerun_if_failed"] = "rerun_if_failed"
    deadline: AwareDatetime | None = None
    failure_budget: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    webhook: JobWebhookBody | None = None


def _form_of(body: object) -> str:
    """Who names no preset, and nothing that goes with one, is a client of the video service."""
    named = body if isinstance(body, dict) else {}
    ours = isinstance(body, NewJobBody) or not NewJobBody.model_fields.keys().isdisjoint(named)
    return "form:preset" if ours else "form:video"


AnyJobBody = Annotated[
    Annotated[NewJobBody, Tag("form:preset")] | Annotated[VideoJobBody, Tag("form:video")], Discriminator(_form_of)
]


class JobSummary(Shape):
    """A job in a list."""

    public_id: str
    kind: str
    preset: str | None
    status: JobStatus
    priority: int
    principal: str
    progress: float
    error_code: str | None
    message: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobStep(Shape):
    """A step of a job; `waited` and `ran` are seconds of all its tasks."""

    name: str
    step: str
    version: int
    status: str
    skip_reason: str | None
    planned: int
    settled: int
    failed: int
    waited: float
    ran: float
    started_at: datetime | None
    ended_at: datetime | None


class JobDetails(JobSummary):
    """All of a job. `tasks_ahead`, `eta_seconds` and `waits_for` are there while it goes on, where they are known."""

    attempt: int
    warnings: list[str]
    deadline: datetime | None
    failure_budget: int
    paused_by: str | None
    pause_reason: str | None
    paused_until: datetime | None
    forked_from: str | None
    cost_seconds: float
    tasks_ahead: int | None = None
    eta_seconds: float | None = None
    waits_for: str | None = None
    steps: list[JobStep]


class JobAnswer(Shape):
    job: JobDetails


class NamedWebhookShape(Shape):
    """`secret` verifies the signatures; it is there if the webhook was made now."""

    id: uuid.UUID
    secret: str | None


class ToldJobAnswer(JobAnswer):
    """A job that names a webhook."""

    webhook: NamedWebhookShape


class JobReport(Shape):
    """All that `windmill jobs show --json` tells."""

    report: dict[str, Any]


class JobList(Shape):
    jobs: list[JobSummary]
    count: int
    next_cursor: str | None


class JobQuery(PageQuery):
    """`status` may name several, separated by commas."""

    status: Annotated[str, Field(max_length=200)] | None = None
    preset: Name | None = None
    code: Name | None = None


class PlannedStepShape(Shape):
    name: str
    step: str
    skip_reason: str | None


class JobPlan(Shape):
    """What a job would be: nothing was stored. `warnings` tell what would keep it from succeeding here."""

    valid: Literal[True] = True
    preset: str
    preset_version: int
    quality: str
    steps: list[PlannedStepShape]
    warnings: list[str]
    estimated_seconds: float | None


class PauseBody(Shape):
    reason: Annotated[str, Field(max_length=1_000)] = ""
    until: AwareDatetime | None = None


class RetryBody(Shape):
    from_step: Name | None = None


class ForkBody(Shape):
    """`inputs` take the place of those of the job. A job of a preset takes another quality, other engines and a
    consent; one that has none takes `parameters`."""

    from_step: Name
    inputs: JsonObject | None = None
    parameters: JsonObject | None = None
    quality: Name | None = None
    engines: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    consent_given: StrictBool = False

    @property
    def is_as_it_was(self) -> bool:
        """Whether nothing is to be different."""
        given = (self.inputs, self.parameters, self.quality)
        return given == (None, None, None) and not self.engines and not self.consent_given


class JobPatch(Shape):
    priority: Priority


class EventQuery(Shape):
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class JobEvent(Shape):
    seq: int
    at: datetime
    kind: str
    level: str
    position: int | None
    shard: int | None
    data: dict[str, Any]


class EventList(Shape):
    """`last` is what `after` is in the next request."""

    events: list[JobEvent]
    count: int
    last: int
