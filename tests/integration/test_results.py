"""What save_results keeps, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from windmill.core.errors import DataRefused, WindmillError
from windmill.core.settings import Settings
from windmill.storage import database
from windmill.storage.result_writer import ResultRow, ResultWriter, SaveRows, row_saver
from windmill.storage.superseded_rows import SupersededRows

pytestmark = pytest.mark.database

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(microseconds=1)
SUCCESS = ResultRow(
    image_id=17,
    service="yolov8",
    data='{"predictions": []}',
    error_code=None,
    error_message=None,
    processing_time=0.25,
    worker_id="first",
    attempt=1,
    trace_id="trace",
    submitted_at=NOON,
)
ERROR = SUCCESS._replace(data=None, error_code="SERVICE_ERROR", error_message="500", worker_id="failing")


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[database.Pool]:
    async with database.pool(settings, "test", max_size=8) as opened:
        yield opened


@pytest.fixture
def save(pool: database.Pool, settings: Settings) -> SaveRows:
    return row_saver(pool, settings)


async def kept(fleet: Fleet) -> asyncpg.Record:
    rows = await fleet.results()
    assert len(rows) == 1
    return rows[0]


async def test_a_row_is_kept_as_it_was_given(save: SaveRows, fleet: Fleet) -> None:
    await save([SUCCESS])
    row = await kept(fleet)
    assert row["status"] == "success"
    given = {name: row[name] for name in ResultRow._fields}
    assert ResultRow(**given) == SUCCESS


async def test_a_newer_answer_replaces_an_older_one_and_gets_a_new_result_id(save: SaveRows, fleet: Fleet) -> None:
    await save([SUCCESS])
    before = await kept(fleet)
    await save([SUCCESS._replace(submitted_at=LATER, data='{"predictions": [1]}')])
    after = await kept(fleet)
    assert after["data"] == '{"predictions": [1]}'
    assert after["result_id"] > before["result_id"]
    assert after["result_created"] > before["result_created"]


async def test_a_later_submission_that_fails_leaves_the_answer_that_is_there(save: SaveRows, fleet: Fleet) -> None:
    await save([SUCCESS])
    before = await kept(fleet)
    await save([ERROR._replace(submitted_at=LATER)])
    assert await kept(fleet) == before


async def test_what_is_kept_does_not_depend_on_the_order_of_arrival(save: SaveRows, fleet: Fleet) -> None:
    rows = [SUCCESS, ERROR, SUCCESS._replace(submitted_at=LATER, attempt=2), ERROR._replace(submitted_at=LATER)]
    for order in permutations(rows):
        await fleet.rows.execute("TRUNCATE results")
        for row in order:
            await save([row])
        assert (await kept(fleet))["attempt"] == 2
        await fleet.rows.execute("TRUNCATE results")
        await save(order)
        assert (await kept(fleet))["attempt"] == 2


async def test_of_one_submission_an_error_never_replaces_the_success(save: SaveRows, fleet: Fleet) -> None:
    await save([SUCCESS])
    before = await kept(fleet)
    await save([ERROR])
    assert await kept(fleet) == before


async def test_of_one_submission_the_success_replaces_an_error(save: SaveRows, fleet: Fleet) -> None:
    await save([ERROR])
    before = await kept(fleet)
    await save([SUCCESS])
    after = await kept(fleet)
    assert (after["status"], after["error_code"], after["error_message"]) == ("success", None, None)
    assert after["result_id"] > before["result_id"]


async def test_writing_the_same_row_again_changes_nothing_and_keeps_its_result_id(save: SaveRows, fleet: Fleet) -> None:
    await save([SUCCESS])
    before = await kept(fleet)
    await save([SUCCESS._replace(worker_id="second", data='{"predictions": [1]}')])
    assert await kept(fleet) == before


@pytest.mark.parametrize("reverse", [False, True])
async def test_of_duplicates_within_a_batch_the_newest_success_is_taken(
    save: SaveRows, fleet: Fleet, *, reverse: bool
) -> None:
    later = NOON + timedelta(seconds=1)
    batch = [
        SUCCESS._replace(worker_id="older"),
        ERROR._replace(worker_id="newer error", submitted_at=later),
        SUCCESS._replace(worker_id="newer success", submitted_at=later),
    ]
    await save(batch[::-1] if reverse else batch)
    assert (await kept(fleet))["worker_id"] == "newer success"


async def test_batches_that_write_the_same_keys_at_once_in_any_order_never_deadlock(
    save: SaveRows, fleet: Fleet
) -> None:
    keys = [(image_id, service) for image_id in range(1, 101) for service in ("clip", "yolov8")]

    async def batch(turn: int) -> None:
        moment = NOON + timedelta(seconds=turn)
        order = keys if turn % 2 else keys[::-1]
        await save([SUCCESS._replace(image_id=i, service=s, submitted_at=moment) for i, s in order])

    await asyncio.gather(*(batch(turn) for turn in range(40)))
    rows = await fleet.results()
    assert [(row["image_id"], row["service"]) for row in rows] == keys
    assert {row["submitted_at"] for row in rows} == {NOON + timedelta(seconds=39)}


async def test_a_submission_from_the_future_counts_as_one_of_the_next_minute(save: SaveRows, fleet: Fleet) -> None:
    await save([SUCCESS._replace(submitted_at=datetime(9998, 1, 1, tzinfo=UTC))])
    ahead = (await kept(fleet))["submitted_at"] - await fleet.rows.fetchval("SELECT now()")
    assert timedelta(0) < ahead <= timedelta(minutes=1)


async def test_rows_that_are_not_kept_are_counted_and_told(
    pool: database.Pool, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    superseded = SupersededRows()
    save = row_saver(pool, settings, superseded)
    await save([SUCCESS, SUCCESS._replace(image_id=18)])
    assert (superseded.count, caplog.messages) == (0, [])
    older = timedelta(minutes=-10)
    await save([SUCCESS._replace(submitted_at=NOON + older), SUCCESS._replace(image_id=19), ERROR])
    assert superseded.count == 2
    assert ["were not kept" in message for message in caplog.messages] == [True]


REFUSED = [
    SUCCESS._replace(data='{"predictions": ["\x00"]}'),
    SUCCESS._replace(trace_id="\x00"),
    SUCCESS._replace(trace_id="\ud800"),
    SUCCESS._replace(data="{"),
    SUCCESS._replace(data="[" * 200_000),
    SUCCESS._replace(attempt=2**40),
    SUCCESS._replace(processing_time=1e300),
    SUCCESS._replace(submitted_at=datetime.fromisoformat("0001-01-01T00:00:00+14:00")),
]


@pytest.mark.parametrize("row", REFUSED, ids=range(len(REFUSED)))
async def test_data_that_postgresql_never_takes_is_refused_and_not_tried_again(save: SaveRows, row: ResultRow) -> None:
    with pytest.raises(DataRefused):
        await save([row])


async def test_a_refused_row_costs_the_others_of_its_batch_nothing(save: SaveRows, fleet: Fleet) -> None:
    rows = [SUCCESS._replace(image_id=number) for number in range(1, 11)]
    rows[4] = rows[4]._replace(data='{"predictions": ["\x00"]}')
    writer = ResultWriter(save, batch_rows=10, batch_seconds=1, in_progress=lambda: 10)
    running = asyncio.create_task(writer.run())
    ends = await asyncio.gather(*(writer.write(row) for row in rows), return_exceptions=True)
    running.cancel()
    assert [type(end) for end in ends] == [DataRefused if number == 4 else type(None) for number in range(10)]
    assert [row["image_id"] for row in await fleet.results()] == [1, 2, 3, 4, 6, 7, 8, 9, 10]


async def test_a_database_without_tables_is_told_with_its_remedy(save: SaveRows, fleet: Fleet) -> None:
    await fleet.rows.execute("DROP TABLE results")
    with pytest.raises(WindmillError, match="python -m windmill migrate") as caught:
        await save([SUCCESS])
    assert caught.value.code == "CONFIG_INVALID"
