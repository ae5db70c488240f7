"""`results` spread over partitions: by the command, under load, and what must stay true of it."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dev.servers import databases
from dev.servers.postgres_programs import PostgresPrograms, installed
from tests.integration.fleet import Finished, Fleet
from tests.integration.own_postgres import OwnPostgres
from tests.integration.test_row_counts import counted, known
from windmill.core.settings import Settings
from windmill.operate.partitions import SCRIPTS
from windmill.storage import database
from windmill.storage.migrations import migrate
from windmill.storage.queries import queries
from windmill.storage.result_writer import ResultRow, row_saver

pytestmark = pytest.mark.database

CONVERT = ("partitions", "--convert", "--size", "1000", "--ahead", "3")
WHERE = "SELECT tableoid::regclass::text FROM results WHERE image_id = $1"
TRIGGERS = "SELECT array_agg(tgname ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'results'::regclass"
INDEXES = """SELECT array_agg(name ORDER BY name)
FROM (SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = 'results'::regclass) AS i"""
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)


def row(image_id: int, service: str = "clip", second: int = 0) -> ResultRow:
    return ResultRow(
        image_id=image_id, service=service, data='{"a": 1}', error_code=None, error_message=None, processing_time=0.1,
        worker_id="w", attempt=1, trace_id=None, submitted_at=WRITTEN.replace(second=second),
    )  # fmt: skip


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[database.Pool]:
    async with database.pool(settings, "test", max_size=8) as opened:
        yield opened


async def converted(fleet: Fleet) -> Finished:
    end = await fleet.run("windmill", *CONVERT)
    assert end.code == 0, end.err
    return end


async def insert(fleet: Fleet, *image_ids: int) -> None:
    await fleet.rows.executemany(
        "INSERT INTO results (image_id, service, status) VALUES ($1, 'clip', 'success')", [(one,) for one in image_ids]
    )


async def test_the_first_run_converts_and_makes_partitions_ahead_and_the_second_finds_nothing_to_do(
    fleet: Fleet,
) -> None:
    first = await converted(fleet)
    assert first.out == (
        "the greatest image id is 0\n"
        "results is partitioned now; the first partition ends at 1,000\n"
        "made: image ids 1,000 to 1,999\n"
        "made: image ids 2,000 to 2,999\n"
        "made: image ids 3,000 to 3,999\n"
    )
    second = await converted(fleet)
    assert second.out == "the greatest image id is 0\nall partitions are there\n"


async def test_each_row_goes_where_its_image_belongs_and_is_still_replaced_by_a_newer_one(
    fleet: Fleet, pool: database.Pool, settings: Settings
) -> None:
    await converted(fleet)
    save = row_saver(pool, settings)
    await save([row(-5), row(7), row(999), row(1000), row(3999), row(4000)])
    places = [await fleet.rows.fetchval(WHERE, one) for one in (-5, 7, 999, 1000, 3999, 4000)]
    assert places == ["results_first"] * 3 + ["results_from_1000", "results_from_3000", "results_rest"]
    before = {one["image_id"]: one["result_id"] for one in await fleet.results()}
    await save([row(1000, second=1), row(4000, second=1)])
    after = {one["image_id"]: one["result_id"] for one in await fleet.results()}
    assert {one for one, result in after.items() if result != before[one]} == {1000, 4000}


async def test_rows_that_came_before_their_partition_move_into_it(fleet: Fleet) -> None:
    await converted(fleet)
    await insert(fleet, 4001, 4002, 5001)
    rows = await fleet.results()
    end = await fleet.run("windmill", "partitions", "--size", "1000", "--ahead", "1", "--json")
    assert [one["low"] for one in end.json()["made"]] == [4000, 5000, 6000]
    assert await fleet.rows.fetchval(WHERE, 4002) == "results_from_4000"
    assert await fleet.rows.fetchval("SELECT count(*) FROM ONLY results_rest") == 0
    assert await fleet.results() == rows
    assert await known(fleet.rows) == await counted(fleet.rows) == {("clip", None): 3}


async def test_rows_and_all_that_is_on_the_table_stay_and_nothing_is_copied(fleet: Fleet) -> None:
    await insert(fleet, *range(1, 600))
    await fleet.rows.execute("GRANT SELECT ON results TO PUBLIC")
    rows, file = await fleet.results(), await fleet.rows.fetchval("SELECT pg_relation_filenode('results')")
    there = [await fleet.rows.fetchval(one) for one in (TRIGGERS, INDEXES)]
    await converted(fleet)
    assert await fleet.results() == rows
    assert await fleet.rows.fetchval("SELECT pg_relation_filenode('results_first')") == file
    assert [await fleet.rows.fetchval(one) for one in (TRIGGERS, INDEXES)] == there
    assert await fleet.rows.fetchval("SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'results'::regclass")
    parts = await fleet.rows.fetch("SELECT inhrelid FROM pg_inherits WHERE inhparent = 'results'::regclass")
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid = $1 AND indisvalid"
    assert {await fleet.rows.fetchval(indexes, one["inhrelid"]) for one in parts} == {len(there[1])}


async def test_writers_go_on_while_the_table_is_converted_and_grows(
    fleet: Fleet, pool: database.Pool, settings: Settings
) -> None:
    await fleet.rows.execute("INSERT INTO stages VALUES ('merge', NULL); INSERT INTO feeds VALUES ('merge', 'yolov8')")
    save, numbers, stopped = row_saver(pool, settings), itertools.count(1), asyncio.Event()

    async def write() -> None:
        while not stopped.is_set():
            await save([row(next(numbers), "yolov8") for _ in range(5)])
            await asyncio.sleep(0.01)  # at the pace of a fleet, so that the table does not outgrow its partitions

    writers = [asyncio.create_task(write()) for _ in range(4)]
    await converted(fleet)
    for _ in range(3):
        end = await fleet.run("windmill", "partitions", "--size", "1000", "--ahead", "2")
        assert end.code == 0, end.err
    stopped.set()
    await asyncio.gather(*writers)
    written = next(numbers) - 1
    assert written > 100
    assert await fleet.count() == written
    assert await known(fleet.rows) == {("yolov8", None): written}
    assert await fleet.rows.fetchval("SELECT count(DISTINCT image_id) FROM stale") == written


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM results WHERE image_id > 1002",
        "DELETE FROM results",
        "UPDATE results SET status = 'error', error_code = 'BAD_RESPONSE' WHERE image_id > 4",
        "UPDATE results SET service = 'ocr' WHERE image_id > 4",
        "UPDATE results SET image_id = image_id + 1000 WHERE image_id > 996",
        "TRUNCATE results; INSERT INTO results (image_id, service, status) VALUES (1, 'pose', 'success')",
        "INSERT INTO results (image_id, service, status) VALUES (997, 'clip', 'success') ON CONFLICT DO NOTHING",
    ],
)
async def test_what_somebody_does_in_psql_is_counted_on_partitions_too(fleet: Fleet, statement: str) -> None:
    await converted(fleet)
    await insert(fleet, *range(995, 1005))
    await fleet.rows.execute(statement)
    assert await known(fleet.rows) == await counted(fleet.rows)


@pytest.mark.parametrize("newest", [1000, 4000], ids=["in a partition", "before its partition was made"])
async def test_median_times_reads_the_end_of_the_newest_partition_only(fleet: Fleet, newest: int) -> None:
    """Of the older ones not a page."""
    await converted(fleet)
    statement = (
        "INSERT INTO results (image_id, service, status, processing_time, data)"
        " SELECT n, 'clip', 'success', $3, to_json(repeat('x', 1500)) FROM generate_series($1::int, $2::int) n"
    )
    await fleet.rows.execute(statement, 1, 900, 9)
    await fleet.rows.execute(statement, newest, newest + 10, 0.5)
    [found] = await fleet.rows.fetch(queries()["median_times"])
    assert found["p50"] == 0.5
    plan = await fleet.rows.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {queries()['median_times']}")
    lines = [line[0] for line in plan]
    [first] = [place for place, line in enumerate(lines) if " on results_first" in line and "Tid Range" in line]
    assert "never executed" in lines[first], "\n".join(lines)


async def test_a_dry_run_changes_nothing(fleet: Fleet) -> None:
    end = await fleet.run("windmill", *CONVERT, "--dry-run")
    assert "results would be partitioned now; the first partition ends at 1,000\nto make: image ids 1,000" in end.out
    assert not await fleet.rows.fetchval(queries()["results_are_partitioned"])


async def test_a_table_that_is_not_partitioned_stays_so_unless_it_is_asked_for(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "partitions")
    assert (end.code, end.out) == (2, "")
    assert "Remedy: add --convert" in end.err


async def test_views_that_would_go_on_to_read_the_old_table_are_named(fleet: Fleet) -> None:
    await fleet.rows.execute("CREATE VIEW mine AS SELECT count(*) FROM results")
    end = await fleet.run("windmill", *CONVERT)
    assert end.code == 2
    assert "the table of before: mine" in end.err


async def test_a_conversion_that_fails_midway_leaves_a_table_that_takes_every_image(fleet: Fleet) -> None:
    await fleet.rows.execute("CREATE TABLE results_first ()")
    end = await fleet.run("windmill", *CONVERT)
    assert (end.code, "already exists" in end.err) == (1, True)
    await insert(fleet, 5000)
    await fleet.rows.execute("DROP TABLE results_first")
    await converted(fleet)
    assert await fleet.count() == 1


async def test_one_absurd_image_id_does_not_make_a_million_partitions(fleet: Fleet) -> None:
    await converted(fleet)
    await insert(fleet, 10**12)
    end = await fleet.run("windmill", "partitions")
    assert end.code == 2
    assert "there is an image 1,000,000,000,000" in end.err


@pytest.fixture(params=list(installed()), ids=lambda programs: programs.major)
def version(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A server of each version that is installed here."""
    programs: PostgresPrograms = request.param
    server = OwnPostgres(tmp_path / "postgres", programs)
    server.create()
    server.launch()
    yield Settings.from_env({**server.variables(), "DB_NAME": f"windmill_{uuid.uuid4().hex[:8]}"})
    server.stop()


async def test_counts_marks_and_replacing_work_on_every_version_of_postgresql(version: Settings) -> None:
    await databases.create(version, version.db_name)
    async with database.connection(version, "test") as rows, database.pool(version, "test") as pool:
        await migrate(rows)
        await rows.execute("INSERT INTO stages VALUES ('merge', NULL); INSERT INTO feeds VALUES ('merge', 'yolov8')")
        for script, numbers in (("bound", (1000,)), ("partition", (1000,)), ("next_partition", (1000, 2000))):
            saying = "say_bound" if len(numbers) == 1 else "say_range"
            async with rows.transaction():
                await rows.execute(queries()[saying], *numbers)
                await rows.execute((SCRIPTS / f"{script}.sql").read_text())
        save = row_saver(pool, version)
        await save([row(one, "yolov8") for one in (1, 999, 1000, 5000)])
        await save([row(one, "yolov8", second=1) for one in (999, 5000)])
        await rows.execute("DELETE FROM results WHERE image_id = 1")
        assert await known(rows) == await counted(rows) == {("yolov8", None): 3}
        marks = await rows.fetch("SELECT image_id, count(*) FROM stale GROUP BY image_id ORDER BY image_id")
        # One for each statement that came, one for the row as it was, and one for the row that went.
        assert [tuple(one) for one in marks] == [(1, 2), (999, 3), (1000, 1), (5000, 3)]
