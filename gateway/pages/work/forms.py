"""What is wanted of services and steps, as forms send it."""

from typing import Annotated

from pydantic import Field

from gateway.pages.forms import PageForm

Name = Annotated[str, Field(min_length=1, max_length=64)]


class WorkForm(PageForm):
    """A service, a step, or `*` for all of both."""

    name: Name


class PauseForm(WorkForm):
    reason: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")] = ""
    minutes: Annotated[int, Field(ge=1, le=525_600)] | None = None
    """For how long; for ever if nothing is given."""


class CallsForm(WorkForm):
    """`concurrency` is how many calls each process makes; nothing is as configured."""

    concurrency: Annotated[int, Field(ge=1, le=1_000)] | None = None
    version: int
