"""What commands print, outside."""

from typing import Annotated, Any

from pydantic import Field

from gateway.shape import Shape
from windmill.pipelines.presets.preset import Category

Names = Annotated[str, Field(min_length=1, max_length=2_000)]


class ViewShape(Shape):
    """`text` is what `windmill` prints, `document` what it prints with --json, `notes` what it prints beside."""

    document: Any
    text: str
    notes: list[str]
    exit_code: int


class StatusQuery(Shape):
    services: Names = "all"
    lost_after: Annotated[float, Field(ge=0.1, le=86_400)] = 60.0
    workers: bool = False


class QueuesQuery(Shape):
    services: Names = "all"


class ImageQuery(Shape):
    image: Names


class PresetsQuery(Shape):
    category: Category | None = None
    engine: Names | None = None
    everything: bool = False
    measured: bool = False


class PresetQuery(Shape):
    preset: Names
    measured: bool = True
