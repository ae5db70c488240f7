"""Runs outside: images that are submitted to services."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field, StrictBool

from gateway.images.finding_shapes import BoxShape, VoteShape
from gateway.shape import Cursor, PageQuery, Shape

RunId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The number of the run")]
ServiceNames = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
    Field(min_length=1, max_length=100, examples=[["all"]], description="Services, and sets of them"),
]
Group = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class NewRunBody(Shape):
    """Which images go to which services. `new` are those that were never submitted to them, `missing` those without an
    answer, `failed` those whose answer is an error."""

    services: ServiceNames
    group: Group | None = Field(default=None, examples=["holidays"])
    selection: Literal["new", "missing", "failed", "all"] = "new"
    urgent: StrictBool = False


class RunSummary(Shape):
    """A run in a list. `principal` is null for the runs of producers. `published` is the share of its images whose jobs
    are in the queues; `finished_at` is when all were, and `ended_at` when the end was told to readers of events."""

    run_id: int
    services: list[str]
    selection: str
    group: str | None
    urgent: bool
    principal: str | None
    images: int
    jobs: int
    published: float
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None
    ended_at: datetime | None


class RunDetails(RunSummary):
    """`status` is queued, publishing, running, succeeded or cancelled. `answered` jobs have an answer, of which so many
    are failures; unless it is `exact`, at least so many. `eta_seconds` is null while a service stands still. `note`
    says why a run has published nothing."""

    status: str
    answered: int
    failed: int | None
    exact: bool
    progress: float
    eta_seconds: float | None
    note: str | None


class RunAnswer(Shape):
    run: RunDetails


class RunPlan(Shape):
    """What a run would be: nothing was stored. Copies and images that were submitted before are counted as well."""

    valid: Literal[True] = True
    services: list[str]
    group: str | None
    images_at_most: int


class RunList(Shape):
    runs: list[RunSummary]
    count: int
    next_cursor: str | None


class RunQuery(PageQuery):
    """What the list of runs takes."""


class ResultQuery(Shape):
    """A page is of so many images, each with all its answers."""

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Cursor | None = None


class ServiceAnswerShape(Shape):
    """What a service said (`data`), or why it did not."""

    service: str
    data: Any
    error_code: str | None
    error_message: str | None
    remedy: str | None
    attempt: int
    seconds: float | None
    submitted_at: datetime
    answered_at: datetime


class ImageAnswers(Shape):
    """An image with its answers; those of a copy are its original's."""

    image_id: int
    name: str
    copy_of: int | None
    answers: list[ServiceAnswerShape]


class ImageResultShape(ImageAnswers):
    """An image with what was found in it by all who have answered, as `/images/{id}` tells it: merged boxes, the surest
    first, and votes, null while there was none. While any stage is open they may change."""

    boxes: list[BoxShape]
    votes: list[VoteShape] | None
    open_stages: list[str]


class ResultList(Shape):
    results: list[ImageResultShape]
    count: int
    next_cursor: str | None
