"""Events of all jobs, runs and batches outside."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.jobs.shapes import JobEvent
from gateway.shape import JsonObject, Shape
from windmill.operate.ends import EndKind


class FleetEventQuery(Shape):
    """`after` is the `id` of an event, or the `last` of a list."""

    after: Annotated[str, Field(max_length=40, pattern=r"^[0-9]{1,18}-[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class FleetEvent(JobEvent):
    """An event with its place among those of all jobs, and its job."""

    id: str
    job: str


class EndEvent(Shape):
    """The end of a run or of a batch, told once: of a run that has all its answers, of a batch whose items have all
    ended, or of one that was cancelled. `data` says how many failed."""

    id: str
    kind: EndKind
    at: datetime
    run: int | None
    batch: uuid.UUID | None
    data: JsonObject


class FleetEventList(Shape):
    """`last` is what `after` is in the next request."""

    events: list[FleetEvent | EndEvent]
    count: int
    last: str
