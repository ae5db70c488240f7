"""Batches outside."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictBool

from gateway.jobs.shapes import Name, Priority
from gateway.shape import JsonObject, PageQuery, Shape
from windmill.operate.batches.asking import MOST_ITEMS, BatchStatus

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


class NewBatchBody(Shape):
    """At most 10,000 jobs. What does not fit into a body of JSON is sent as JSON lines, one for each job."""

    name: Annotated[str, Field(max_length=200)] = ""
    jobs: Annotated[tuple[BatchItemBody, ...], Field(min_length=1, max_length=MOST_ITEMS)]


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
    id: uuid.UUID
    principal: str
    name: str
    status: BatchStatus
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
    """An item: the state of its job, or pending, rejected or removed."""

    number: int
    custom_id: str | None
    job: uuid.UUID | None
    status: str
    error_code: str | None
    message: str | None
    progress: float | None
    ended_at: datetime | None


class BatchResultList(Shape):
    results: list[BatchResult]
    count: int
    next_cursor: str | None


class BatchQuery(PageQuery):
    """What a list of batches, or of results, takes."""
