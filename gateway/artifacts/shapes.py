"""Files of jobs outside; the id of a file is its SHA-256."""

from datetime import datetime
from typing import Annotated

from fastapi import Path

from gateway.shape import Shape

ArtifactId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The SHA-256 of the file")]


class JobFile(Shape):
    """A file of a job; one that the job was given has no step."""

    id: str
    step: str | None
    shard: int
    name: str
    media_type: str
    bytes: int
    created_at: datetime


class JobFileList(Shape):
    artifacts: list[JobFile]
    count: int
    next_cursor: str | None


class ArtifactShape(Shape):
    id: str
    name: str
    media_type: str
    bytes: int


class ArtifactAnswer(Shape):
    artifact: ArtifactShape
