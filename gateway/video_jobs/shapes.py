"""Jobs as clients of the video service know them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.shape import Shape

VideoStatus = Literal["pending", "claimed", "processing", "completed", "failed"]


class VideoJobBody(Shape):
    """A video, or a picture, that was sent to /assets; the first 24 digits of its id name it."""

    video_id: Annotated[str, Field(max_length=64, examples=["64f1c0ffee64f1c0ffee64f1"])] | None = None


class VideoJobResult(Shape):
    annotated_video_url: str
    stats: dict[str, Any]


class VideoJob(Shape):
    """`progress` counts to 100. `paused` and `cancel_requested` tell what `status` has no word for."""

    id: str = Field(serialization_alias="_id")
    video_id: str | None
    status: VideoStatus
    progress: int
    status_message: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    result: VideoJobResult | None
    error: str | None
    error_code: str | None
    warnings: list[str]
    paused: bool
    cancel_requested: bool


class VideoJobAnswer(Shape):
    job: VideoJob


class VideoJobList(Shape):
    jobs: list[VideoJob]
    count: int
