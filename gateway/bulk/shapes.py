"""Actions on many jobs outside."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StrictBool, StrictInt, model_validator

from gateway.jobs.shapes import Name, Priority
from gateway.shape import Shape
from windmill.jobs.states import JobStatus
from windmill.operate.bulk.wanted import BulkFilter, BulkRequest, BulkVerb

Names = Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
_OF_VERB: dict[str, tuple[BulkVerb, ...]] = {
    "priority": ("priority",),
    "reason": ("pause",),
    "until": ("pause",),
    "from_step": ("retry",),
}


class BulkFilterBody(Shape):
    """Jobs that match all that is given; `{}` are all jobs. `principals` is for administrators."""

    statuses: Annotated[tuple[JobStatus, ...], Field(min_length=1, max_length=20)] | None = None
    kinds: Names | None = None
    presets: Names | None = None
    principals: Names | None = None
    error_codes: Names | None = None
    older_than_seconds: Annotated[float, Field(ge=0, le=1e10)] | None = None

    def wanted(self) -> BulkFilter:
        return BulkFilter(**self.model_dump())


class BulkBody(Shape):
    """What to ask of the jobs in `ids`, or of all that match `filter` and of which it can be asked. `dry_run` only says
    how many these are; `expect` refuses if they are others."""

    action: BulkVerb
    filter: BulkFilterBody | None = None
    ids: Annotated[tuple[uuid.UUID, ...], Field(min_length=1, max_length=10_000)] | None = None
    dry_run: StrictBool = False
    expect: Annotated[StrictInt, Field(ge=0, le=2**53)] | None = None
    priority: Priority | None = None
    reason: Annotated[str, Field(max_length=1_000)] = ""
    until: AwareDatetime | None = None
    from_step: Name | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "BulkBody":
        if (self.filter is None) == (self.ids is None):
            raise ValueError("give either filter or ids")
        for name, verbs in _OF_VERB.items():
            if getattr(self, name) not in (None, "") and self.action not in verbs:
                raise ValueError(f"{name} is for {' or '.join(verbs)}")
        if self.action == "priority" and self.priority is None:
            raise ValueError("say which priority")
        return self

    def wanted(self) -> BulkRequest:
        chosen = self.filter.wanted() if self.filter else BulkFilter()
        return BulkRequest(self.action, chosen, self.priority, self.reason, self.until, self.from_step)


class RefusedChangeShape(Shape):
    """A job that was left as it was, and why."""

    job: uuid.UUID
    error_code: str
    message: str


class BulkShape(Shape):
    """`undo_until` is there once it is done and can be undone; `kept` counts jobs that could not be changed back."""

    id: uuid.UUID
    action: BulkVerb
    principal: str
    status: Literal["running", "done", "undoing", "undone"]
    matched: int
    done: int
    refused: int
    undone: int
    kept: int
    created_at: datetime
    ended_at: datetime | None
    undo_until: datetime | None
    told: list[RefusedChangeShape]


class BulkAnswer(Shape):
    bulk: BulkShape


class BulkPreview(Shape):
    """How many jobs it would be: nothing was done."""

    dry_run: Literal[True] = True
    action: BulkVerb
    matched: int
