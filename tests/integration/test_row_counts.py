"""How many rows there are is known without counting them, whoever writes and however."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.queries import queries
from windmill.storage.result_writer import ResultRow, row_saver

pytestmark = pytest.mark.database

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SERVICES = ("clip", "ocr", "yolov8")
CODES = (None, None, "SERVICE_ERROR", "BAD_RESPONSE")


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[database.Pool]:
    async with database.pool(settings, "test", max_size=10) as opened:
        yield opened


@pytest.fixture
async def rows(pool: database.Pool) -> AsyncIterator[database.Connection]:
    async with pool.acquire() as connection:
        yield connection


async def known(rows: database.Connection) -> dict[tuple[str, str | None], int]:
    found = await rows.fetch(queries()["count_results_by_service"])
    return {(row["service"], row["error_code"]): row["rows"] for row in found}


async def counted(rows: database.Connection) -> dict[tuple[str, str | None], int]:
    found = await rows.fetch("SELECT service, error_code, count(*) AS rows FROM results GROUP BY service, error_code")
    return {(row["service"], row["error_code"]): row["rows"] for row in found}


async def images(rows: database.Connection) -> int:
    found = await rows.fetchrow(queries()["count_images"])
    assert found is not None
    return int(found["images"])


async def insert(rows: database.Connection, number: int = 10) -> None:
    await rows.execute(
        "INSERT INTO results (image_id, service, status)"
        " SELECT n, 'clip', 'success' FROM generate_series(1, $1::int) AS n",
        number,
    )


def batch(dice: random.Random) -> list[ResultRow]:
    """Of few images, so that writers meet: errors that successes replace, and repetitions."""
    return [
        ResultRow(
            image_id=dice.randrange(1, 200), service=dice.choice(SERVICES), data="{}",
            error_code=dice.choice(CODES), error_message=None, processing_time=0.1, worker_id="w", attempt=1,  # type: ignore[arg-type]
            trace_id=None, submitted_at=NOON + timedelta(seconds=dice.randrange(100)),
        )
        for _ in range(dice.randrange(1, 60))
    ]  # fmt: skip


# In the order of the keys, as the writers, so that nobody waits in a circle for rows of `results` themselves.
DELETE_SOME = """
DELETE FROM results WHERE (image_id, service) IN (
    SELECT image_id, service FROM results WHERE image_id % 16 = $1 ORDER BY image_id, service FOR UPDATE
)"""


async def test_eight_writers_who_replace_delete_and_roll_back_leave_exact_counts(
    pool: database.Pool, rows: database.Connection, settings: Settings
) -> None:
    save = row_saver(pool, settings)

    async def write(number: int) -> None:
        dice = random.Random(number)
        for turn in range(40):
            await save(batch(dice))
            if turn % 8 == number:
                async with pool.acquire() as connection:
                    await connection.execute(DELETE_SOME, number)
                    undone = connection.transaction()
                    await undone.start()
                    await connection.execute(DELETE_SOME, number + 8)
                    await undone.rollback()

    async def sum_up() -> None:
        while not all(writer.done() for writer in writers):
            async with pool.acquire() as connection:
                await connection.execute("SELECT sum_up_row_counts('results')")

    writers = [asyncio.create_task(write(number)) for number in range(8)]
    await asyncio.gather(*writers, sum_up())
    assert await known(rows) == await counted(rows) != {}


async def test_what_is_rolled_back_was_never_counted(rows: database.Connection) -> None:
    await insert(rows)
    transaction = rows.transaction()
    await transaction.start()
    await rows.execute("DELETE FROM results WHERE image_id > 3")
    await rows.execute("SELECT sum_up_row_counts('results')")
    assert await known(rows) == {("clip", None): 3}
    await transaction.rollback()
    assert await known(rows) == {("clip", None): 10}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM results WHERE image_id > 4",
        "DELETE FROM results",
        "UPDATE results SET status = 'error', error_code = 'BAD_RESPONSE' WHERE image_id > 4",
        "UPDATE results SET service = 'ocr' WHERE image_id > 4",
        "UPDATE results SET worker_id = 'x'",
        "UPDATE results SET worker_id = 'x' WHERE false",
        "TRUNCATE results",
        "TRUNCATE results; INSERT INTO results (image_id, service, status) VALUES (1, 'pose', 'success')",
        "BEGIN; UPDATE results SET service = 'pose' WHERE image_id = 9; TRUNCATE results; COMMIT",
        "INSERT INTO results (image_id, service, status) VALUES (1, 'clip', 'success') ON CONFLICT DO NOTHING",
        "ALTER TABLE results DISABLE TRIGGER ALL; DELETE FROM results WHERE image_id > 4;"
        " ALTER TABLE results ENABLE TRIGGER ALL; SELECT recount_rows()",
    ],
)
async def test_what_somebody_does_in_psql_is_counted_too(rows: database.Connection, statement: str) -> None:
    await insert(rows)
    await rows.execute(statement)
    assert await known(rows) == await counted(rows)


async def test_rows_that_are_copied_in_are_counted(rows: database.Connection) -> None:
    copied = [(number, "clip", "success") for number in range(5)]
    await rows.copy_records_to_table("results", records=copied, columns=["image_id", "service", "status"])
    assert await known(rows) == {("clip", None): 5}


async def test_images_are_counted_as_they_come_and_go(rows: database.Connection) -> None:
    given = [["1.jpg", "2.jpg"], ["/1.jpg", "/2.jpg"], *([[None] * 2] * 7)]
    for new in (2, 0):
        assert len(await rows.fetch(queries()["register_images"], *given)) == new
        assert await images(rows) == 2
    await insert(rows)
    await rows.execute("DELETE FROM images WHERE image_filename = '1.jpg'")
    assert await images(rows) == 1
    assert await known(rows) == {("clip", None): 9}, "its answer goes along"
    await rows.execute("TRUNCATE images")
    assert (await images(rows), await known(rows)) == (0, {("clip", None): 9})


async def test_images_that_no_run_submitted_are_counted_up_to_a_limit(rows: database.Connection) -> None:
    await rows.execute(
        "INSERT INTO images (image_id, image_filename, image_path, image_group)"
        " SELECT i, i || '.jpg', '/' || i, CASE WHEN i > 8 THEN 'g' END FROM generate_series(1, 10) AS i"
    )
    run = (
        "INSERT INTO runs (services, selection, image_group, first_image_id, until_image_id, last_image_id)"
        " VALUES ('{clip}', $1, $2, $3, 10, $4)"
    )

    async def unsubmitted(most: int = 100) -> int:
        return int(await rows.fetchval(queries()["count_unsubmitted_images"], most))

    assert (await unsubmitted(), await unsubmitted(4)) == (10, 4)
    await rows.execute(run, "failed", None, 0, 10)
    assert await unsubmitted() == 10
    await rows.execute(run, "new", None, 0, 3)
    assert await unsubmitted() == 7
    await rows.execute(run, "new", "g", 0, 9)
    assert await unsubmitted() == 6


async def copies(rows: database.Connection) -> int:
    found = await rows.fetchrow(queries()["count_images"])
    assert found is not None
    return int(found["copies"])


async def test_copies_are_counted_as_they_come_and_go(rows: database.Connection) -> None:
    statement = "INSERT INTO images (image_filename, image_path, original_id) VALUES ('a', $1, $2)"
    for number, original in enumerate((None, 1, 1, None)):
        await rows.execute(statement, f"/{number}.jpg", original)
    assert await copies(rows) == 2
    await rows.execute("UPDATE images SET original_id = NULL WHERE image_path = '/1.jpg'")
    assert await copies(rows) == 1
    await rows.execute("SELECT recount_rows()")
    assert await copies(rows) == 1
    await rows.execute("DELETE FROM images WHERE original_id IS NOT NULL")
    assert (await copies(rows), await images(rows)) == (0, 3)
    await rows.execute(statement, "/9.jpg", 1)
    await rows.execute("TRUNCATE images")
    assert (await copies(rows), await images(rows)) == (0, 0)


async def test_the_sums_take_the_place_of_what_was_added(rows: database.Connection) -> None:
    for image in range(50):
        await rows.execute("INSERT INTO results (image_id, service, status) VALUES ($1, 'clip', 'success')", image)
    await rows.execute("SELECT sum_up_row_counts('results')")
    assert [tuple(row) for row in await rows.fetch("SELECT service, error_code, rows FROM row_counts")] == [
        ("clip", None, 50)
    ]


async def test_nobody_waits_for_one_who_sums_up(pool: database.Pool, rows: database.Connection) -> None:
    await insert(rows, 1)
    async with rows.transaction(), pool.acquire() as other:
        await rows.execute("SELECT sum_up_row_counts('results')")
        await other.execute("SET lock_timeout = '1s'")
        await other.execute("INSERT INTO results (image_id, service, status) VALUES (2, 'clip', 'success')")
        await other.execute("SELECT sum_up_row_counts('results')")
        assert await known(other) == {("clip", None): 2}
    assert await known(rows) == {("clip", None): 2}


async def test_writers_sum_up_by_themselves_now_and_then(rows: database.Connection) -> None:
    """Each statement does with one chance in a thousand; the dice are such that it happens."""
    await rows.execute("SELECT setseed(0.5)")
    await rows.execute(
        "DO $$ BEGIN FOR n IN 1..6000 LOOP"
        " INSERT INTO results (image_id, service, status) VALUES (n, 'clip', 'success'); END LOOP; END $$"
    )
    assert await rows.fetchval("SELECT count(*) FROM row_counts") < 6000
    assert await known(rows) == {("clip", None): 6000}


async def test_rows_are_counted_whatever_the_search_path_of_who_writes(rows: database.Connection) -> None:
    async with rows.transaction():
        await rows.execute("SET LOCAL search_path = ''")
        await rows.execute("INSERT INTO public.results (image_id, service, status) VALUES (1, 'clip', 'success')")
        await rows.execute("TRUNCATE public.images")
    assert await known(rows) == {("clip", None): 1}


async def test_median_times_reads_the_end_of_a_large_table_only(rows: database.Connection) -> None:
    await rows.execute(
        "INSERT INTO results (image_id, service, status, processing_time, data)"
        " SELECT n, 'clip', 'success', CASE WHEN n > 18000 THEN 0.5 ELSE 9 END, to_json(repeat('x', 1500))"
        " FROM generate_series(1, 20000) n"
    )
    plan = "\n".join(row[0] for row in await rows.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {queries()['median_times']}"))
    assert "Tid Range Scan" in plan
    [row] = await rows.fetch(queries()["median_times"])
    assert (row["service"], row["p50"]) == ("clip", 9)
    await rows.execute("DELETE FROM results WHERE image_id <= 18000")
    [row] = await rows.fetch(queries()["median_times"])
    assert row["p50"] == 0.5


async def test_median_times_of_an_empty_table_are_none(rows: database.Connection) -> None:
    assert await rows.fetch(queries()["median_times"]) == []
