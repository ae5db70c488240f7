"""The results that a stage is made of, read for many images at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from windmill.core.documents import as_object
from windmill.core.stages import Stage
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True)
class Answer:
    """One row of `results`; `reply` is empty when it is an error, or nothing that can be read."""

    service: str
    result_id: int
    error_code: str | None
    reply: dict[str, Any]
    processing_time: float | None
    created: datetime


@dataclass(frozen=True)
class Answers:
    """All that a stage reads of `results` for one image."""

    answers: list[Answer] = field(default_factory=list)
    awaiting: list[str] = field(default_factory=list)

    @property
    def result_ids(self) -> list[int]:
        return sorted(one.result_id for one in self.answers)

    @property
    def replies(self) -> dict[str, dict[str, Any]]:
        """The replies of the services that answered."""
        return {one.service: one.reply for one in self.answers if one.error_code is None}

    @property
    def failed(self) -> dict[str, str]:
        """The services that failed, each with the code."""
        return {one.service: one.error_code for one in self.answers if one.error_code is not None}


async def read_answers(connection: Connection, stage: Stage, image_ids: Sequence[int]) -> dict[int, Answers]:
    """For each of the images, also for those without any."""
    sql = queries()
    found = {image_id: Answers() for image_id in image_ids}
    for row in await connection.fetch(sql["read_sources"], stage, list(image_ids)):
        found[row["image_id"]].answers.append(
            Answer(
                row["service"],
                row["result_id"],
                row["error_code"],
                as_object(row["data"]),
                row["processing_time"],
                row["result_created"],
            )
        )
    for row in await connection.fetch(sql["read_awaited"], stage, list(image_ids)):
        found[row["image_id"]].awaiting.extend(row["services"])
    return found
