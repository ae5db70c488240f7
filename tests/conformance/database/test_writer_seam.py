"""What a worker relies on a writer for, asked of the table in memory and of PostgreSQL alike."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.database.conftest import AnyTable
from windmill.core.errors import DataRefused
from windmill.storage.result_writer import ResultRow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUCCESS = ResultRow(17, "clip", '{"predictions": []}', None, None, 0.25, "worker", 1, "trace", NOON)
ERROR = SUCCESS._replace(data=None, error_code="SERVICE_ERROR", error_message="500", processing_time=None)
LATER = NOON + timedelta(seconds=1)


@pytest.mark.parametrize("row", [SUCCESS, ERROR], ids=["success", "error"])
async def test_a_row_is_in_the_table_when_its_write_returns(any_table: AnyTable, row: ResultRow) -> None:
    await any_table.write(row)
    assert await any_table.kept() == [row]


@pytest.mark.parametrize(
    "refused",
    [SUCCESS._replace(data="{"), SUCCESS._replace(data='["\x00"]'), SUCCESS._replace(trace_id="\x00")],
    ids=["no JSON", "NUL in the reply", "NUL in a text"],
)
async def test_a_row_that_is_refused_fails_alone(any_table: AnyTable, refused: ResultRow) -> None:
    rows = [SUCCESS._replace(image_id=1), refused._replace(image_id=2), ERROR._replace(image_id=3)]
    ends = await asyncio.gather(*(any_table.write(row) for row in rows), return_exceptions=True)
    assert [type(end) for end in ends] == [type(None), DataRefused, type(None)]
    assert await any_table.kept() == [rows[0], rows[2]]


async def test_a_row_that_is_written_twice_is_one(any_table: AnyTable) -> None:
    await any_table.write(SUCCESS)
    await any_table.write(SUCCESS._replace(worker_id="another"))
    assert await any_table.kept() == [SUCCESS]


async def test_rows_of_an_image_for_two_services_are_two(any_table: AnyTable) -> None:
    rows = [SUCCESS, SUCCESS._replace(service="ocr")]
    await asyncio.gather(*map(any_table.write, rows))
    assert await any_table.kept() == rows


@pytest.mark.parametrize("submitted", [NOON, LATER], ids=["same submission", "later submission"])
async def test_a_success_is_never_replaced_by_an_error(any_table: AnyTable, submitted: datetime) -> None:
    await any_table.write(SUCCESS)
    await any_table.write(ERROR._replace(submitted_at=submitted))
    assert await any_table.kept() == [SUCCESS]


async def test_an_error_is_replaced_by_a_success_also_of_an_earlier_submission(any_table: AnyTable) -> None:
    await any_table.write(ERROR._replace(submitted_at=LATER))
    await any_table.write(SUCCESS)
    assert await any_table.kept() == [SUCCESS]


@pytest.mark.parametrize("row", [SUCCESS, ERROR], ids=["success", "error"])
async def test_of_two_of_a_kind_the_newer_submission_is_kept(any_table: AnyTable, row: ResultRow) -> None:
    newer = row._replace(submitted_at=LATER, attempt=2)
    await any_table.write(newer)
    await any_table.write(row)
    assert await any_table.kept() == [newer]
