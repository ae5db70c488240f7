"""Whoever changes a source row leaves marks in the same transaction, for the stages that somebody runs."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.waiting import until
from windmill.core.services import Fleet as Services
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.derive.stage_feeds import read_feeds, register_stage_feeds
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

pytestmark = pytest.mark.database


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=16) as opened:
        yield opened


@pytest.fixture
def services(settings: Settings) -> Services:
    return load_fleet(settings.service_config)


@pytest.fixture
async def all_stages(pool: Pool, settings: Settings, services: Services) -> None:
    for stage in STAGES:
        await register_stage_feeds(pool, settings, services, stage)


async def marks(rows: asyncpg.Connection) -> set[tuple[str, int]]:
    """The marks that are there, taken away."""
    return {(row["stage"], row["image_id"]) for row in await rows.fetch("DELETE FROM stale RETURNING stage, image_id")}


ANSWER = "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', '{}')"

VOTE = "INSERT INTO consensus (image_id, consensus_data, source_result_ids) VALUES ($1, '{}', '{}')"
MERGE = (
    "INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)"
    " VALUES ($1, '{}', '{}', '{}', '{}', 0, 1, '')"
)


@pytest.mark.parametrize(
    ("service", "stages"),
    [
        ("yolov8", {"merge", "consensus"}),
        ("clip", {"consensus", "index"}),
        ("colors", {"index"}),
        ("of_no_fleet", set()),
    ],
)
async def test_a_result_marks_the_stages_that_its_service_feeds(
    fleet: Fleet, all_stages: None, service: str, stages: set[str]
) -> None:
    await fleet.rows.execute(ANSWER, 7, service)
    assert await marks(fleet.rows) == {(stage, 7) for stage in stages}


async def test_rows_that_are_changed_moved_or_deleted_by_hand_mark_every_image_concerned(
    fleet: Fleet, all_stages: None
) -> None:
    await fleet.rows.execute(ANSWER, 7, "clip")
    await marks(fleet.rows)
    await fleet.rows.execute("UPDATE results SET data = '{\"predictions\": []}'")
    assert await marks(fleet.rows) == {("consensus", 7), ("index", 7)}
    await fleet.rows.execute("UPDATE results SET image_id = 8")
    assert await marks(fleet.rows) == {("consensus", 7), ("index", 7), ("consensus", 8), ("index", 8)}
    await fleet.rows.execute("UPDATE results SET service = 'yolov8'")
    assert await marks(fleet.rows) == {("consensus", 8), ("index", 8), ("merge", 8)}
    await fleet.rows.execute("DELETE FROM results")
    assert await marks(fleet.rows) == {("consensus", 8), ("merge", 8)}


async def test_boxes_mark_their_enrichment_and_the_vote_and_enrichment_marks_the_vote(
    fleet: Fleet, all_stages: None
) -> None:
    await fleet.rows.execute("SET windmill.stage = 'merge'")
    await fleet.rows.execute(
        "INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data) VALUES (7, 'a', '{}', '{}')"
    )
    assert await marks(fleet.rows) == {("enrich", 7), ("consensus", 7), ("index", 7)}
    await fleet.rows.execute("SET windmill.stage = 'enrich'")
    await fleet.rows.execute(
        "INSERT INTO postprocessing (image_id, box_key, service, status) VALUES (7, 'a', 'face', 'success')"
    )
    assert await marks(fleet.rows) == {("consensus", 7), ("index", 7)}
    await fleet.rows.execute("SET windmill.stage = 'merge'")
    await fleet.rows.execute("DELETE FROM merged_boxes")
    assert await marks(fleet.rows) == {("enrich", 7), ("consensus", 7), ("index", 7)}


async def test_derived_rows_that_are_changed_by_hand_are_computed_anew(fleet: Fleet, all_stages: None) -> None:
    await fleet.rows.execute(
        "INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data) VALUES (7, 'a', '{}', '{}')"
    )
    assert await marks(fleet.rows) == {("merge", 7), ("enrich", 7), ("consensus", 7), ("index", 7)}
    await fleet.rows.execute('UPDATE merged_boxes SET merged_data = \'{"label": "dog"}\'')
    assert await marks(fleet.rows) == {("merge", 7), ("enrich", 7), ("consensus", 7), ("index", 7)}
    await fleet.rows.execute(
        "INSERT INTO postprocessing (image_id, box_key, service, status) VALUES (7, 'a', 'face', 'success')"
    )
    assert await marks(fleet.rows) == {("enrich", 7), ("consensus", 7), ("index", 7)}


async def test_votes_and_merges_that_are_made_changed_moved_or_deleted_by_hand_are_computed_anew(
    fleet: Fleet, all_stages: None
) -> None:
    await fleet.rows.execute(VOTE, 7)
    assert await marks(fleet.rows) == {("consensus", 7), ("index", 7)}
    await fleet.rows.execute("UPDATE consensus SET consensus_data = '{\"votes\": 1}'")
    assert await marks(fleet.rows) == {("consensus", 7), ("index", 7)}
    await fleet.rows.execute("UPDATE consensus SET image_id = 8")
    assert await marks(fleet.rows) == {("consensus", 7), ("index", 7), ("consensus", 8), ("index", 8)}
    await fleet.rows.execute("DELETE FROM consensus")
    assert await marks(fleet.rows) == {("consensus", 8), ("index", 8)}
    await fleet.rows.execute(MERGE, 7)
    assert await marks(fleet.rows) == {("merge", 7), ("index", 7)}
    await fleet.rows.execute("UPDATE merges SET image_id = 8, boxes = 3")
    assert await marks(fleet.rows) == {("merge", 7), ("index", 7), ("merge", 8), ("index", 8)}
    await fleet.rows.execute("DELETE FROM merges")
    assert await marks(fleet.rows) == {("merge", 8), ("index", 8)}


async def test_what_a_stage_writes_itself_is_not_computed_again(fleet: Fleet, all_stages: None) -> None:
    for stage, statement in (("consensus", VOTE), ("merge", MERGE)):
        await fleet.rows.execute("SELECT set_config('windmill.stage', $1, false)", stage)
        await fleet.rows.execute(statement, 7)
        assert await marks(fleet.rows) == {("index", 7)}, "which is of another stage"


async def test_an_image_that_is_deleted_takes_its_answers_along_and_what_derives_from_them_follows(
    fleet: Fleet, all_stages: None
) -> None:
    one, other, without_answers = await fleet.register(3)
    for image_id in (one, other, 4711):
        await fleet.rows.execute(ANSWER, image_id, "clip")
    await fleet.rows.execute(VOTE, without_answers)
    await marks(fleet.rows)
    await fleet.rows.execute("DELETE FROM images WHERE image_id <> $1", other)
    assert await marks(fleet.rows) == {("consensus", one), ("index", one)} | {
        (stage, without_answers) for stage in STAGES
    }
    left = await fleet.rows.fetch("SELECT image_id FROM results ORDER BY 1")
    assert [row["image_id"] for row in left] == [other, 4711], "an image that was never registered keeps its answer"


async def test_a_mark_is_as_much_committed_as_its_row(fleet: Fleet, all_stages: None) -> None:
    transaction = fleet.rows.transaction()
    await transaction.start()
    await fleet.rows.execute(ANSWER, 7, "clip")
    await transaction.rollback()
    assert await marks(fleet.rows) == set()


async def test_nothing_is_marked_for_a_stage_that_nobody_runs(
    fleet: Fleet, pool: Pool, settings: Settings, services: Services
) -> None:
    await fleet.rows.execute(ANSWER, 7, "yolov8")
    assert await marks(fleet.rows) == set()
    await register_stage_feeds(pool, settings, services, "merge")
    await fleet.rows.execute(ANSWER, 8, "yolov8")
    assert await marks(fleet.rows) == {("merge", 8)}


async def test_a_stage_asks_for_a_look_at_old_images_once_and_again_when_its_services_change(
    fleet: Fleet, pool: Pool, settings: Settings, services: Services
) -> None:
    assert await register_stage_feeds(pool, settings, services, "merge")
    await fleet.rows.execute("UPDATE stages SET swept_image_id = NULL")
    assert not await register_stage_feeds(pool, settings, services, "merge")
    assert await read_feeds(pool, settings, "merge") == ("detectron2", "rtdetr", "yolov8")
    assert await fleet.rows.fetchval("SELECT swept_image_id FROM stages") is None
    fewer = Services({k: v for k, v in services.services.items() if k != "rtdetr"}, services.set_notes)
    assert await register_stage_feeds(pool, settings, fewer, "merge")
    assert await read_feeds(pool, settings, "merge") == ("detectron2", "yolov8")
    assert await fleet.rows.fetchval("SELECT swept_image_id FROM stages") == 0


async def test_waiting_for_locks_is_limited_for_one_transaction_only(pool: Pool, settings: Settings) -> None:
    async with transaction(pool, settings) as connection:
        before = await connection.fetchval("SHOW lock_timeout")
        await connection.execute(queries()["limit_waiting_for_locks"], 2.5)
        assert await connection.fetchval("SHOW lock_timeout") == "2500ms"
    async with transaction(pool, settings) as connection:
        assert await connection.fetchval("SHOW lock_timeout") == before


async def test_a_row_that_is_being_written_while_a_stage_is_introduced_is_either_marked_or_seen_by_the_first_look(
    fleet: Fleet, pool: Pool, settings: Settings, services: Services
) -> None:
    """The introduction waits for writers that began without leaving marks."""
    transaction = fleet.rows.transaction()
    await transaction.start()
    await fleet.rows.execute(ANSWER, 7, "yolov8")
    introduced = asyncio.create_task(register_stage_feeds(pool, settings, services, "merge"))
    async with database.connection(settings, "test") as rows:  # the fleet's own is in the transaction
        await until(lambda: waits_for_a_lock(rows))
    assert not introduced.done()
    await transaction.commit()
    assert await introduced
    assert await fleet.rows.fetchval("SELECT swept_image_id FROM stages") == 0
