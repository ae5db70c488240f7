"""Exports outside."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StrictInt

from gateway.search.shapes import QueryText
from gateway.shape import Shape
from windmill.operate.search.exporting import ExportRequest
from windmill.pipelines.export.form import ExportFormat


class ExportBody(Shape):
    """All images without a query. `since`: only what was indexed from then on; of Parquet whole files. `shard_images`:
    so many image ids a file."""

    query: QueryText = ""
    format: ExportFormat
    since: AwareDatetime | None = None
    shard_images: Annotated[StrictInt, Field(ge=1, le=10_000_000)] | None = None
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None

    def wanted(self) -> ExportRequest:
        return ExportRequest(self.query, self.format, self.since, self.shard_images, self.min_confidence)
