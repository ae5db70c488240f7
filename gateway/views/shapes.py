"""What commands print, outside."""

from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from gateway.shape import Shape
from windmill.operate.dead_letters.serving_commands import ListForm
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


class FailedViewQuery(Shape):
    """`codes` and `image_ids` may name several, separated by commas. The first `scan` messages of each queue are looked
    at."""

    services: Names = "all"
    codes: Names | None = None
    image_ids: Annotated[str, Field(max_length=20_000, pattern=r"^[0-9]{1,18}(,[0-9]{1,18}){0,999}$")] | None = None
    before: AwareDatetime | None = None
    after: AwareDatetime | None = None
    scan: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    form: ListForm = "jobs"


class FailedImageQuery(Shape):
    image_id: Annotated[int, Field(ge=1, le=2**63 - 1)]
    services: Names = "all"
    scan: Annotated[int, Field(ge=1, le=10_000)] = 10_000


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
