"""Reading the results from which a stage computes, for many images at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from windmill.core.jsonb import parse_object
from windmill.core.stages import Stage
from windmill.kernels.boxes.sent_scale import read_sent_scale, scale_reply
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True)
class SourceResult:
    """One row of `results`; `reply` is empty for an error or an unreadable reply."""

    service: str
    result_id: int
    error_code: str | None
    reply: dict[str, Any]
    """Its boxes are in upright pixels of the image, whatever size the service was sent."""
    processing_time: float | None
    created: datetime


@dataclass
class SourceResults:
    """The results of one image that a stage reads, and the services it still awaits."""

    rows: list[SourceResult] = field(default_factory=list)
    awaiting: list[str] = field(default_factory=list)
    upright_size: tuple[int, int] | None = None
    """Width and height of the upright image, if a service was sent something else than the file or EXIF turns it."""

    @property
    def result_ids(self) -> list[int]:
        return sorted(one.result_id for one in self.rows)

    @property
    def replies(self) -> dict[str, dict[str, Any]]:
        """The reply of each service that succeeded."""
        return {one.service: one.reply for one in self.rows if one.error_code is None}

    @property
    def failed(self) -> dict[str, str]:
        """The error code of each service that failed."""
        return {one.service: one.error_code for one in self.rows if one.error_code is not None}


async def read_source_results(
    connection: Connection, stage: Stage, image_ids: Sequence[int]
) -> dict[int, SourceResults]:
    """The results of each image; empty for images without results."""
    sql = queries()
    found = {image_id: SourceResults() for image_id in image_ids}
    for row in await connection.fetch(sql["read_sources"], stage, list(image_ids)):
        results, scale = found[row["image_id"]], read_sent_scale(parse_object(row["image_sent"]))
        if scale:
            results.upright_size = scale.size
        results.rows.append(
            SourceResult(
                row["service"],
                row["result_id"],
                row["error_code"],
                scale_reply(parse_object(row["data"]), scale),
                row["processing_time"],
                row["result_created"],
            )
        )
    for row in await connection.fetch(sql["read_awaited"], stage, list(image_ids)):
        found[row["image_id"]].awaiting.extend(row["services"])
    return found
