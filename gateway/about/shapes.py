"""What is told to everybody."""

from typing import Literal

from gateway.shape import Shape
from windmill.core.errors import Culprit, Retry


class Health(Shape):
    """`worker_running` is true only if a worker that is alive serves a step of jobs."""

    status: Literal["ok"] = "ok"
    service: str = "ml-pipeline"
    version: str
    worker_running: bool


class ErrorCode(Shape):
    """What a code means."""

    code: str
    status: int
    caused_by: Culprit
    retry: Retry
    remedy: str
