"""The images behind a count of failed answers."""

from dataclasses import dataclass
from datetime import datetime

from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import single_statement

LOOKED_AT = 10_000
"""Failures that are read at most, in the order in which an index has them."""


@dataclass(frozen=True)
class FailedAnswer:
    """What a service could not say of an image; the name is missing of an image that nobody has registered."""

    image_id: int
    name: str | None
    message: str
    attempt: int
    at: datetime


async def list_failed_answers(
    pool: Pool, settings: DatabaseSettings, service: str, code: str, limit: int
) -> list[FailedAnswer]:
    """The newest of the failures that are read."""
    async with single_statement(pool, settings) as rows:
        found = await rows.fetch(queries()["list_failed_answers"], service, code, LOOKED_AT, limit)
    return [
        FailedAnswer(
            row["image_id"], row["image_filename"], row["error_message"] or "", row["attempt"], row["result_created"]
        )
        for row in found
    ]
