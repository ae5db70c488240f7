"""Keys outside. The text of a key is in the answer to the request that makes it, and nowhere else."""

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import AwareDatetime, Field, StrictInt

from gateway.jobs.shapes import Priority
from gateway.shape import Shape
from windmill.storage.api_keys import KeyScope

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
KeyPrefix = Annotated[str, Path(pattern=r"^wm_[a-z2-7]{8}$", description="The beginning of the key")]


class NewKeyBody(Shape):
    """A limit that is not given is none."""

    name: Name
    principal: Name
    scope: KeyScope
    default_priority: Priority = 0
    highest_priority: Priority = 9
    quota_jobs: Annotated[StrictInt, Field(ge=0, le=2**53)] | None = None
    quota_seconds: Annotated[float, Field(ge=0, le=2**53)] | None = None
    requests_per_minute: Annotated[StrictInt, Field(ge=1, le=10_000_000)] | None = None
    expires_at: AwareDatetime | None = None


class RotateBody(Shape):
    """How long the key before stays good."""

    grace_seconds: Annotated[float, Field(ge=0, le=2_592_000)] = 86_400


class KeyShape(Shape):
    prefix: str
    name: str
    principal: str
    scope: KeyScope
    default_priority: int
    highest_priority: int
    quota_jobs: int | None
    quota_seconds: float | None
    jobs_made: int
    requests_per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked: bool
    expired: bool


class KeyAnswer(Shape):
    key: KeyShape


class MadeKeyAnswer(Shape):
    """`secret` is the key itself."""

    key: KeyShape
    secret: str


class KeyList(Shape):
    keys: list[KeyShape]
    count: int
