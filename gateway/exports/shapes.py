"""Exports outside."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StrictInt

from gateway.search.shapes import QueryText
from gateway.shape import Shape
from windmill.operate.search.exporting import ExportRequest
from windmill.pipelines.export.form import MIN_CONFIDENCE, SHARD_IMAGES, ExportFormat


class ExportBody(Shape):
    """What is exported, and how."""

    query: QueryText = Field(default="", description="Which images, as for /search; all without it")
    format: ExportFormat = Field(description="What the files are")
    since: AwareDatetime | None = Field(
        default=None, description="Only images that were indexed from then on; of Parquet whole files"
    )
    shard_images: Annotated[StrictInt, Field(ge=1, le=10_000_000)] | None = Field(
        default=None, description=f"So many image ids a file; {SHARD_IMAGES:,} without it"
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description=f"Boxes from this confidence on; {MIN_CONFIDENCE} without it"
    )

    def wanted(self) -> ExportRequest:
        return ExportRequest(self.query, self.format, self.since, self.shard_images, self.min_confidence)
