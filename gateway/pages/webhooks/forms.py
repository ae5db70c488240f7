"""Webhooks as forms send them."""

import uuid
from typing import Annotated

from pydantic import Field

from gateway.pages.forms import PageForm
from gateway.webhooks.shapes import Description, Url
from windmill.operate.webhooks.endpoints import WebhookKind


class WebhookForm(PageForm):
    """A receiver; without events it is told of the ends of jobs."""

    url: Url
    events: Annotated[tuple[WebhookKind, ...], Field(max_length=20)] = ()
    description: Description = ""
    all_principals: bool = False


class SwitchForm(PageForm):
    enabled: bool


class RotateForm(PageForm):
    hours: Annotated[float, Field(ge=0, le=720)] = 24


class ReplayForm(PageForm):
    """One delivery, or all that were given up."""

    delivery: uuid.UUID | None = None
