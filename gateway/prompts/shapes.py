"""What the stylising service takes and answers."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import UploadFile
from pydantic import Field, StringConstraints

from gateway.shape import Shape
from windmill.pipelines.values import MAX_SEED

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Style = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]


class UploadForm(Shape):
    """A picture or a video, and what to make of it."""

    file: UploadFile
    prompt: Prompt | None = None
    style: Style | None = None
    seed: Seed | None = None


class PromptBody(Shape):
    prompt: Prompt = Field(examples=["a lighthouse in the fog"])
    style: Style | None = None
    seed: Seed | None = None


class MadeJob(Shape):
    jobId: str  # noqa: N815 - the name that its clients know


class PromptJob(Shape):
    """`progress` counts to 100. `resultUrl` is there once the job is completed."""

    jobId: str  # noqa: N815
    status: Literal["queued", "processing", "completed", "failed"]
    progress: int
    error: str | None
    createdAt: datetime  # noqa: N815
    updatedAt: datetime  # noqa: N815
    resultUrl: str | None = None  # noqa: N815
