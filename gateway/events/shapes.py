"""Events of all jobs outside."""

from typing import Annotated

from pydantic import Field

from gateway.jobs.shapes import JobEvent
from gateway.shape import Shape


class FleetEventQuery(Shape):
    """`after` is the `id` of an event, or the `last` of a list."""

    after: Annotated[str, Field(max_length=40, pattern=r"^[0-9]{1,18}-[0-9]{1,18}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class FleetEvent(JobEvent):
    """An event with its place among those of all jobs, and its job."""

    id: str
    job: str


class FleetEventList(Shape):
    """`last` is what `after` is in the next request."""

    events: list[FleetEvent]
    count: int
    last: str
