"""Runs as they are, and the answers that came of them. `principal` is whose runs are seen, None all; those of others
are not found."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import orjson

from windmill.core.errors import ERROR_CODES
from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.runs.outlook import MOST_COUNTED, RunAnswers, RunRow
from windmill.operate.show.image_report import ImageFindings
from windmill.operate.show.reading import read_findings
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction
from windmill.submit.asked_runs import no_run
from windmill.submit.selection import RegisteredImages

NEWEST = 2**63 - 1
LOOK_SECONDS, SELDOM_SECONDS, FEW_JOBS = 0.2, 2.0, 1_000
"""Counting the answers of a long run takes a while, so that is done seldom."""


def _row(record: Any) -> RunRow:  # noqa: ANN401 - the driver's record
    values = {one.name: record[one.name] for one in fields(RunRow)}
    return RunRow(**{**values, "services": tuple(values["services"])})


async def page_of_runs(
    pool: Pool, settings: DatabaseSettings, before: int | None, limit: int, principal: str | None
) -> list[RunRow]:
    """The newest before the one with this id."""
    async with transaction(pool, settings) as connection:
        first = NEWEST if before is None else before
        return [_row(one) for one in await connection.fetch(queries()["page_of_runs"], principal, first, limit)]


async def read_run(pool: Pool, settings: DatabaseSettings, run_id: int, principal: str | None) -> RunRow:
    async with transaction(pool, settings) as connection:
        return await _read_run(connection, run_id, principal)


async def _read_run(connection: Connection, run_id: int, principal: str | None) -> RunRow:
    record = await connection.fetchrow(queries()["show_run"], run_id, principal)
    if record is None:
        raise no_run(run_id)
    return _row(record)


async def count_answers(pool: Pool, settings: DatabaseSettings, run: RunRow) -> dict[str, RunAnswers] | None:
    """By service; None for a run that is too long to be counted while somebody waits."""
    if run.jobs > MOST_COUNTED:
        return None
    async with transaction(pool, settings) as connection:
        return await count_answers_on(connection, run, MOST_COUNTED)


async def count_answers_on(connection: Connection, run: RunRow, most: int) -> dict[str, RunAnswers]:
    """The same over this connection, up to so many."""
    bounds = (run.first_image_id, run.last_image_id, list(run.services), run.started_at, run.image_group)
    rows = await connection.fetch(queries()["count_run_answers"], *bounds, most)
    return {row["service"]: RunAnswers(row["answered"], row["failed"]) for row in rows}


async def runs_without_end(connection: Connection, but: Sequence[int], limit: int) -> list[RunRow]:
    """The oldest runs that were published whole and have not ended."""
    return [_row(one) for one in await connection.fetch(queries()["runs_without_end"], list(but), limit)]


async def wait_until_answered(
    pool: Pool, settings: DatabaseSettings, run_id: int, principal: str | None, seconds: float
) -> None:
    """Return once every job of the run has an answer, or after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        run = await read_run(pool, settings, run_id, principal)
        counted = await count_answers(pool, settings, run)
        answered = sum(one.answered for one in (counted or {}).values())
        if run.finished_at and (run.cancelled_at or answered >= run.jobs or counted is None):
            return
        if time.monotonic() >= until:
            return
        look = LOOK_SECONDS if run.jobs <= FEW_JOBS else SELDOM_SECONDS
        await asyncio.sleep(min(look, max(until - time.monotonic(), 0)))


@dataclass(frozen=True)
class KnownAnswer:
    """What a service said of an image, or why it did not."""

    service: str
    data: Any
    error_code: str | None
    error_message: str | None
    remedy: str | None
    attempt: int
    seconds: float | None
    submitted_at: datetime
    answered_at: datetime


@dataclass(frozen=True)
class AnsweredImage:
    """An image with its answers; those of a copy are its original's."""

    image_id: int
    name: str
    copy_of: int | None
    answers: tuple[KnownAnswer, ...]

    @property
    def answering_id(self) -> int:
        """The image whose answers these are."""
        return self.copy_of or self.image_id


@dataclass(frozen=True)
class ImageResult:
    """An image with its answers, and what follows from all answers about it: boxes and votes."""

    image: AnsweredImage
    findings: ImageFindings


async def page_of_results(
    pool: Pool, settings: DatabaseSettings, run: RunRow, after: int | None, limit: int
) -> list[ImageResult]:
    """The images of a run behind this id, each with what the run's services have said of it."""
    async with transaction(pool, settings) as connection:
        first = run.first_image_id if after is None else after
        images = RegisteredImages(connection, settings)
        ids = await images.next_ids(first, run.last_image_id, run.image_group, limit)
        return await _results_on(connection, ids, run.services)


async def read_results(
    pool: Pool, settings: DatabaseSettings, image_ids: Sequence[int], services: Sequence[str]
) -> list[ImageResult]:
    """The same of any images."""
    async with transaction(pool, settings) as connection:
        return await _results_on(connection, image_ids, services)


async def _results_on(connection: Connection, image_ids: Sequence[int], services: Sequence[str]) -> list[ImageResult]:
    images = await answers_on(connection, image_ids, services)
    findings = await read_findings(connection, {one.answering_id for one in images})
    return [ImageResult(one, findings[one.answering_id]) for one in images]


async def read_answers(
    pool: Pool, settings: DatabaseSettings, image_ids: Sequence[int], services: Sequence[str] | None = None
) -> list[AnsweredImage]:
    """What these services, or all, have said of images."""
    async with transaction(pool, settings) as connection:
        return await answers_on(connection, image_ids, services)


async def new_answers(pool: Pool, settings: DatabaseSettings, run: RunRow, image_id: int) -> AnsweredImage:
    """What has come of a run of one image by now."""
    [image] = await read_answers(pool, settings, [image_id], run.services)
    return replace(image, answers=tuple(one for one in image.answers if one.submitted_at >= run.started_at))


async def answers_on(
    connection: Connection, image_ids: Sequence[int], services: Sequence[str] | None
) -> list[AnsweredImage]:
    """The same over this connection."""
    names = None if services is None else list(services)
    images: dict[int, Any] = {}
    answers: dict[int, list[KnownAnswer]] = {}
    for row in await connection.fetch(queries()["read_answers"], list(image_ids), names):
        images[row["image_id"]] = row
        answers.setdefault(row["image_id"], []).extend([_answer(row)] if row["service"] else [])
    return [
        AnsweredImage(one, row["image_filename"], row["original_id"], tuple(answers[one]))
        for one, row in images.items()
    ]


def _answer(row: Any) -> KnownAnswer:  # noqa: ANN401 - the driver's record
    code = row["error_code"]
    return KnownAnswer(
        service=row["service"],
        data=_parsed(row["data"]),
        error_code=code,
        error_message=row["error_message"],
        remedy=next((spec.remedy for name, spec in ERROR_CODES.items() if name == code), None),
        attempt=row["attempt"],
        seconds=row["seconds"],
        submitted_at=row["submitted_at"],
        answered_at=row["result_created"],
    )


def _parsed(text: str | None) -> Any:  # noqa: ANN401 - any JSON
    """As the service sent it; people may have written rows by hand."""
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
