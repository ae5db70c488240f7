"""Jobs of services that were given up, outside."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, Field, StrictBool, StrictInt

from gateway.shape import Shape

Named = Annotated[str, Field(min_length=1, max_length=200)]
MOST = 10_000


class FailedQuery(Shape):
    """`services` and `code` may name several, separated by commas."""

    services: Named = "all"
    code: Named | None = None
    image_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    before: AwareDatetime | None = None
    after: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=0, le=1_000)] = 100


class FailedJob(Shape):
    service: str
    image_id: int | None
    image_filename: str | None
    code: str | None
    attempts: int
    failed_at: datetime | None
    redriven: int
    urgent: bool
    worker: str | None
    reason: str


class FailedCount(Shape):
    service: str
    code: str | None
    jobs: int


class FailedQueue(Shape):
    """How many jobs are parked, and how many of them were looked at."""

    service: str
    held: int
    looked_at: int


class FailedList(Shape):
    """`jobs` are the first that match; `summary` counts all that were looked at."""

    jobs: list[FailedJob]
    count: int
    summary: list[FailedCount]
    images: int
    queues: list[FailedQueue]


class SweepBody(Shape):
    """Which jobs. With `expect`, nothing is done unless there are so many."""

    services: Annotated[tuple[Named, ...], Field(min_length=1, max_length=100)]
    codes: Annotated[tuple[Named, ...], Field(max_length=100)] | None = None
    image_ids: Annotated[tuple[Annotated[int, Field(ge=1, le=2**63 - 1)], ...], Field(max_length=1_000)] | None = None
    before: AwareDatetime | None = None
    after: AwareDatetime | None = None
    limit: Annotated[StrictInt, Field(ge=1, le=MOST)] = MOST
    expect: Annotated[StrictInt, Field(ge=0, le=MOST)] | None = None
    dry_run: StrictBool = False


class SweepAnswer(Shape):
    """What was done, or with `dry_run` what would be. At most so many as `limit` says: ask again for the rest."""

    jobs: int
    summary: list[FailedCount]
    kept: int | None
    dry_run: bool
    interrupted: bool


class MutedShape(Shape):
    """The failures of a service with one code, null for those without. They are muted until they are heard again, or
    until `muted_until`."""

    service: str
    code: str | None
    reason: str
    principal: str
    muted_at: datetime
    muted_until: datetime | None


class MutedList(Shape):
    """The newest first."""

    muted: list[MutedShape]
    count: int


class HearBody(Shape):
    """Which failures; without a code those that have none."""

    service: Named
    code: Named | None = None


class MuteBody(HearBody):
    reason: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")] = ""
    until: AwareDatetime | None = None


FailedFilter = Annotated[FailedQuery, Query()]
