"""Services outside."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import AwareDatetime, Field, StrictInt

from gateway.shape import Shape
from gateway.status.shapes import ServiceFigures, WantedShape

ServiceName = Annotated[str, Path(max_length=64, description="A service, as the list of services names it")]


class ServiceShape(ServiceFigures):
    """How it is configured, how it is, and what people want of it. `pause` is its own or that of everything."""

    name: str
    category: str
    sets: list[str]
    configured_concurrency: int | Literal["auto"]
    fleet_concurrency: int | None
    wanted_concurrency: int | None
    paused: bool
    pause: WantedShape | None


class OneService(Shape):
    service: ServiceShape


class ServiceList(Shape):
    """`broker` says that the numbers of its queues are unknown."""

    services: list[ServiceShape]
    count: int
    broker: str | None


class ServicePauseBody(Shape):
    reason: Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")] = ""
    until: AwareDatetime | None = None


class ServicePatch(Shape):
    """Calls that each process makes at once; null is as configured."""

    concurrency: Annotated[StrictInt, Field(ge=1, le=1_000)] | None
