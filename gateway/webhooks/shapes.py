"""Webhooks outside. The secret is in the answer to the request that makes it, and nowhere else."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field, StrictBool, model_validator

from gateway.shape import JsonObject, PageQuery, Shape
from windmill.operate.webhooks.endpoints import ENDS, WebhookKind
from windmill.operate.webhooks.schedule import DeliveryStatus

Url = Annotated[
    str, Field(min_length=1, max_length=2_000, pattern=r"^https?://", examples=["https://example.com/hook"])
]
Events = Annotated[tuple[WebhookKind, ...], Field(min_length=1, max_length=20)]
Description = Annotated[str, Field(max_length=500)]


class NewWebhookBody(Shape):
    """`all_principals`: the jobs of everybody, for administrators. `named_only`: no jobs but those that name its
    address as their `webhook`."""

    url: Url
    events: Events = ENDS
    description: Description = ""
    all_principals: StrictBool = False
    named_only: StrictBool = False


class WebhookPatch(Shape):
    """What is not given stays. `enabled` true lets one go on that was disabled."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    enabled: StrictBool | None = None


class WebhookShape(Shape):
    """`failing_since` is the first failure after the last success; one that fails for five days is disabled."""

    id: uuid.UUID
    principal: str
    all_principals: bool
    url: str
    events: tuple[str, ...]
    description: str
    named_only: bool
    created_at: datetime
    last_success_at: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None


class WebhookAnswer(Shape):
    webhook: WebhookShape


class MadeWebhookAnswer(Shape):
    """`secret` verifies the signatures: whsec_ and base64."""

    webhook: WebhookShape
    secret: str


class WebhookList(Shape):
    webhooks: list[WebhookShape]
    count: int


class SecretRotation(Shape):
    """How long messages carry the signature of the secret before as well."""

    grace_seconds: Annotated[float, Field(ge=0, le=2_592_000)] = 86_400


class DeliveryShape(Shape):
    """A message; `id` is its `webhook-id`. `next_at` is the next try of one that is pending."""

    id: str
    delivery: uuid.UUID
    type: str
    status: DeliveryStatus
    tries: int
    http_status: int | None
    error: str | None
    seconds: float | None
    created_at: datetime
    next_at: datetime | None
    last_try_at: datetime | None
    body: JsonObject


class DeliveryAnswer(Shape):
    delivery: DeliveryShape


class DeliveryList(Shape):
    deliveries: list[DeliveryShape]
    count: int
    next_cursor: str | None


class DeliveryQuery(PageQuery):
    status: DeliveryStatus | None = None


class ReplayBody(Shape):
    """Deliveries by their ids, or all that were made in a time, in a state."""

    deliveries: Annotated[tuple[uuid.UUID, ...], Field(min_length=1, max_length=1_000)] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    status: DeliveryStatus | None = None

    @model_validator(mode="after")
    def _says_which(self) -> "ReplayBody":
        if self.deliveries is None and self.since is None:
            raise ValueError("name the deliveries, or since when")
        return self


class Replayed(Shape):
    """How many are sent again."""

    replayed: int
