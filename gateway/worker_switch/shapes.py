"""What is wanted of all workers."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from gateway.shape import Shape


class WorkerStopBody(Shape):
    """For whom: services and steps by name, or all of both if none is named."""

    services: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=1_000)] | None = None
    reason: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")] = ""
    until: AwareDatetime | None = None


class WorkerStartBody(Shape):
    services: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=1_000)] | None = None


class WorkerAnswer(Shape):
    """`worker_running`: a worker that is alive serves a step. It may be one that drains."""

    message: Literal["started", "already running", "stopping"]
    worker_running: bool
