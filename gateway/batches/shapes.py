"""Batches outside."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictBool, model_validator

from gateway.images.finding_shapes import BoxShape, VoteShape
from gateway.jobs.shapes import Name, Priority
from gateway.runs.shapes import Group, ServiceAnswerShape, ServiceNames
from gateway.shape import JsonObject, PageQuery, Shape
from windmill.operate.batches.asking import MOST_ITEMS, BatchStatus, ImageSelection

CustomId = Annotated[str, Field(min_length=1, max_length=200)]


class BatchItemBody(Shape):
    """A job of a preset; `custom_id` is what you call it."""

    custom_id: CustomId | None = None
    preset: Name = Field(examples=["cinematic_portrait_v1"])
    inputs: JsonObject = Field(default={}, examples=[{"prompt": "a lighthouse"}])
    quality: Name | None = None
    engines: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    consent_given: StrictBool = False
    priority: Priority | None = None


class BatchImagesBody(Shape):
    """Images by their ids, or those of a group: at most 10,000. `missing` asks no service again that has answered."""

    services: ServiceNames
    image_ids: Annotated[tuple[Annotated[int, Field(ge=1, le=2**63 - 1)], ...], Field(max_length=MOST_ITEMS)] = ()
    group: Group | None = Field(default=None, examples=["holidays"])
    selection: ImageSelection = "missing"

    @model_validator(mode="after")
    def _has_one_source(self) -> "BatchImagesBody":
        if bool(self.image_ids) == (self.group is not None):
            raise ValueError("give either image_ids or a group")
        return self


class NewBatchBody(Shape):
    """At most 10,000 jobs, or images at services. Jobs that do not fit into a body of JSON are sent as JSON lines, one
    for each."""

    name: Annotated[str, Field(max_length=200)] = ""
    jobs: Annotated[tuple[BatchItemBody, ...], Field(max_length=MOST_ITEMS)] = ()
    images: BatchImagesBody | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "NewBatchBody":
        if bool(self.jobs) == (self.images is not None):
            raise ValueError("give either jobs or images")
        return self


class BatchCounts(Shape):
    """`rejected` never became jobs, and the jobs of `removed` were deleted; `open` waits or runs."""

    total: int
    pending: int
    open: int
    completed: int
    failed: int
    cancelled: int
    rejected: int
    removed: int


class BatchShape(Shape):
    """`services` are asked about its images; a batch of jobs has none."""

    id: uuid.UUID
    principal: str
    name: str
    status: BatchStatus
    services: list[str]
    created_at: datetime
    cancelled_at: datetime | None
    request_counts: BatchCounts


class BatchAnswer(Shape):
    batch: BatchShape


class BatchList(Shape):
    batches: list[BatchShape]
    count: int
    next_cursor: str | None


class BatchResult(Shape):
    """An item: the state of its job, or pending, rejected or removed. Of an image `answers` are what the services have
    said by now, and `boxes` and `votes` what was found in it; while any stage is open these may change."""

    number: int
    custom_id: str | None
    job: uuid.UUID | None
    image_id: int | None
    status: str
    error_code: str | None
    message: str | None
    progress: float | None
    ended_at: datetime | None
    answers: list[ServiceAnswerShape] | None = None
    boxes: list[BoxShape] | None = None
    votes: list[VoteShape] | None = None
    open_stages: list[str] | None = None


class BatchResultList(Shape):
    results: list[BatchResult]
    count: int
    next_cursor: str | None


class BatchQuery(PageQuery):
    """What a list of batches, or of results, takes."""
