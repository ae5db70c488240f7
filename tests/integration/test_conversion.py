"""A large database gets the derived rows of an image together (migration 34) while everything goes on: what stands in
the older form is converted batch by batch, whoever is killed, and nobody sees a difference.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.integration.fleet import Fleet, waits_for_a_lock
from tests.integration.older_schema import TOO_MANY, Seen, look, migrate_anew
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.conversion import Conversion
from windmill.derive.leases import take_lease
from windmill.derive.stored_answers import read_answers
from windmill.derive.stored_boxes import read_boxes
from windmill.derive.sweep import SweepFilter, mark_page
from windmill.derive.transactions import lock_images
from windmill.storage import database
from windmill.storage.canaries import CanaryNotes
from windmill.storage.conversion import convert_batch, end_conversion, is_converting, read_conversion
from windmill.storage.migrations import migrate

pytestmark = pytest.mark.database

TOGETHER = 34
AT_ONCE = 200
"""So many images a batch converts at most."""
IMAGES = 240
# A service of boxes has answered, and its boxes have an answer each of two others; random text keeps them from
# compressing, so that the tables have many pages.
FILL = f"""
INSERT INTO results (image_id, service, status, data)
SELECT n, 'yolov8', 'success', '{{}}' FROM generate_series(1, {IMAGES}) AS n;
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT image_id, ARRAY[result_id], '{{yolov8}}', '{{rtdetr}}', '{{}}', 2, 2, 'mine' FROM results;
INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data, anchor, version, calibration, created)
SELECT m.image_id, 'key_' || n, m.source_result_ids,
       jsonb_build_object('label', 'dog', 'noise', repeat(md5(m.image_id::text || n), 20), 'number', 0.5, 'services',
                          m.services, 'awaiting_services', m.awaiting, 'failed_services', '{{clip}}'::text[]),
       ARRAY[n, 2, 3, 4], 2, 'mine', m.created
FROM merges AS m, generate_series(1, 2) AS n;
INSERT INTO postprocessing (image_id, merged_box_id, box_key, service, data, status, error_code, error_message,
                            processing_time, attempt, final, version, result_created)
SELECT image_id, merged_id, box_key, 'face', json_build_object('predictions', json_build_array(NULL, merged_data)),
       'success', NULL, NULL, 0.25, 1, true, 1, now() - interval '1 day' FROM merged_boxes
UNION ALL SELECT image_id, merged_id, box_key, 'pose', NULL, 'error', 'SERVICE_ERROR', 'away', NULL, 2, true, 1,
                 now() - interval '1 day' FROM merged_boxes;
INSERT INTO consensus (image_id, consensus_data, source_result_ids, source_merged_ids, source_post_ids, version)
SELECT m.image_id, '{{"votes": {{"consensus": []}}, "number": 1.50}}', m.source_result_ids,
       ARRAY(SELECT merged_id FROM merged_boxes AS b WHERE b.image_id = m.image_id ORDER BY merged_id),
       ARRAY(SELECT post_id FROM postprocessing AS p WHERE p.image_id = m.image_id ORDER BY post_id), 2
FROM merges AS m;
INSERT INTO stages (stage) VALUES ('merge'), ('enrich'), ('consensus'), ('index');
INSERT INTO feeds (stage, service) VALUES ('merge', 'yolov8'), ('consensus', 'yolov8');
"""


@pytest.fixture
async def before(fleet: Fleet, settings: Settings, tmp_path: Path) -> Seen:
    """What was seen in a database that was large, until it was migrated a moment ago."""
    rows = fleet.rows
    await migrate_anew(rows, tmp_path, before=TOGETHER)
    await rows.execute(FILL + TOO_MANY)
    seen = await look(rows)
    async with database.connection(settings, "test") as connection:
        await migrate(connection)
    assert await is_converting(rows)
    return seen


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[database.Pool]:
    async with database.pool(settings, "test") as opened:
        yield opened


async def converted(pool: database.Pool, settings: Settings, **slowly: Any) -> bool:  # noqa: ANN401 - as Conversion takes them
    return await Conversion(pool, settings, lambda _: None, **slowly).run(asyncio.Event())


async def left(rows: asyncpg.Connection) -> list[int]:
    """Images that stand in the older form."""
    statement = "SELECT DISTINCT image_id FROM merged_boxes_before ORDER BY image_id"
    return [row["image_id"] for row in await rows.fetch(statement)]


async def test_the_migration_of_a_large_database_converts_nothing_and_shows_everything(
    fleet: Fleet, before: Seen
) -> None:
    assert await left(fleet.rows) == list(range(1, IMAGES + 1))
    assert await look(fleet.rows) == before


async def test_whoever_reads_meanwhile_sees_each_row_once_and_in_the_end_nothing_of_the_older_form_is_left(
    fleet: Fleet, before: Seen, pool: database.Pool
) -> None:
    looks = []
    task = asyncio.create_task(converted(pool, fleet.settings, first_pages=1, most_per_second=120.0))
    while not task.done():
        state = await read_conversion(fleet.rows)
        assert await look(fleet.rows) == before
        looks.append(state.pages_left if state else 0)
    assert await task
    assert len(set(looks)) > 4, "it was looked at between batches"
    assert await look(fleet.rows) == before
    assert await fleet.rows.fetchval("SELECT count(*) FROM stale") == 0, "nothing is computed anew"
    assert await fleet.rows.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_before%'") == 0
    names = "SELECT proname FROM pg_proc WHERE prosrc ~ '(merged_boxes|postprocessing|consensus)_before'"
    assert await fleet.rows.fetch(names) == []
    assert await fleet.rows.fetchval("SELECT count(*) FROM enrichments") == IMAGES
    assert await fleet.rows.fetchval("SELECT count(*) FROM votes") == IMAGES


async def test_a_process_that_is_killed_in_the_middle_of_a_batch_has_changed_nothing_and_the_next_goes_on(
    fleet: Fleet, before: Seen, settings: Settings
) -> None:
    async with database.connection(settings, "test") as other:
        held = other.transaction()
        await held.start()
        await other.execute("SELECT FROM consensus_before WHERE image_id = $1 FOR UPDATE", IMAGES)
        command = fleet.start("windmill", "migrate", "--convert", "--rate", "50")
        await until(lambda: waits_for_a_lock(fleet.rows), what="a batch that has deleted rows of the older form")
        await command.kill()
        await until(lambda: _alone(fleet.rows), what="the end of its session")
        assert await look(fleet.rows) == before
        await held.rollback()
    second = fleet.start("windmill", "migrate", "--convert", "--rate", "50")
    await second.says("images converted", times=1)
    await second.kill()
    assert await look(fleet.rows) == before
    state = await read_conversion(fleet.rows)
    third = await fleet.run("windmill", "migrate", "--convert")
    assert third.code == 0
    assert "all derived rows are converted" in third.out
    assert state is None or state.pages_left > 0
    assert await look(fleet.rows) == before
    assert not await is_converting(fleet.rows)


_SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'windmill migrate'
"""


async def _alone(rows: asyncpg.Connection) -> bool:
    return not await rows.fetchval(_SESSIONS)


async def test_a_post_processor_converts_beside_its_work(fleet: Fleet, before: Seen) -> None:
    process = fleet.start("postprocessors.spatial_enrichment")
    await until(lambda: _is_done(fleet.rows), what=lambda: f"the end of the conversion\n{process.log}")
    assert "derived rows are converted" in process.log
    assert (await process.stop()).code == 0
    seen = await look(fleet.rows)
    assert (seen["merged_boxes"], seen["consensus"]) == (before["merged_boxes"], before["consensus"])


async def _is_done(rows: asyncpg.Connection) -> bool:
    return not await is_converting(rows)


async def test_what_somebody_has_written_into_the_new_tables_by_hand_stays_and_holds_up_nothing(
    fleet: Fleet, before: Seen, pool: database.Pool, settings: Settings
) -> None:
    await fleet.rows.execute("""
        UPDATE merges SET box_rows = '[{"merged_id": 9000, "box_key": "mine", "anchor": [1, 2, 3, 4], "data": {}}]'
        WHERE image_id = 1;
        INSERT INTO enrichments (image_id, answers)
        VALUES (2, '[{"post_id": 9000, "box_key": "mine", "service": "face"}]');
        INSERT INTO votes (image_id, consensus_data, source_result_ids) VALUES (3, '{}', '{}');
    """)
    assert await converted(pool, settings)
    seen = await look(fleet.rows)
    assert [row["box_key"] for row in seen["merged_boxes"] if row["image_id"] == 1] == ["mine"]
    assert [row["box_key"] for row in seen["postprocessing"] if row["image_id"] == 2] == ["mine"]
    assert [row["consensus_data"] for row in seen["consensus"] if row["image_id"] == 3] == ["{}"]
    others = [{view: [row for row in r if row["image_id"] > 3] for view, r in one.items()} for one in (before, seen)]
    assert others[0] == others[1]


async def test_the_command_says_what_is_left_and_who_converts_it(fleet: Fleet, before: Seen) -> None:
    end = await fleet.run("windmill", "migrate")
    assert end.out == (
        "the database is up to date\n"
        "post-processors convert derived rows of an older form, 0 % done; --convert does so now\n"
    )


async def test_a_rate_without_a_conversion_is_a_mistake(fleet: Fleet) -> None:
    end = await fleet.run("windmill", "migrate", "--rate", "5")
    assert (end.code, end.out) == (2, "")
    assert "add --convert" in end.err


async def test_images_that_somebody_else_converts_at_the_moment_are_left_until_he_has_done_it(
    fleet: Fleet, before: Seen, pool: database.Pool, settings: Settings
) -> None:
    rows = fleet.rows
    async with database.connection(settings, "test") as other:
        held = other.transaction()
        await held.start()
        await lock_images(other, "merge", [7])
        first = await convert_batch(pool, settings, 2_000)
        second = await convert_batch(pool, settings, 2_000)
        assert first
        assert second
        assert (first.images, first.waiting) == (AT_ONCE - 1, IMAGES - AT_ONCE + 1)
        assert (second.images, second.waiting, await left(rows)) == (IMAGES - AT_ONCE, 1, [7])
        assert await look(rows) == before
        await held.rollback()
    third = await convert_batch(pool, settings, 2_000)
    assert third
    assert (third.images, third.waiting, await left(rows)) == (1, 0, [])
    assert third.pages_left < second.pages_left == first.pages_left


async def test_one_process_converts_and_the_others_wait(
    before: Seen,
    pool: database.Pool,
    settings: Settings,
) -> None:
    async with database.connection(settings, "test") as other, other.transaction():
        await other.execute("SELECT convert_next_rows(1)")
        batch = await convert_batch(pool, settings, 1)
        assert batch
        assert batch.taken
        assert not await end_conversion(pool, settings)


async def test_rows_that_are_left_after_all_are_converted_before_their_table_goes(
    fleet: Fleet, before: Seen, pool: database.Pool, settings: Settings
) -> None:
    await fleet.rows.execute("UPDATE derived_conversion SET pages_left = 0")
    assert not await end_conversion(pool, settings)
    assert await look(fleet.rows) == before
    assert await converted(pool, settings)
    assert await look(fleet.rows) == before


async def test_a_stage_finds_the_rows_of_an_image_that_was_not_converted_yet(
    fleet: Fleet, before: Seen, pool: database.Pool, settings: Settings
) -> None:
    async with database.connection(settings, "test") as stage, stage.transaction():
        await lock_images(stage, "consensus", [3, 4])
        boxes, answers = await read_boxes(stage, [3, 4]), await read_answers(stage, [3, 4])
    numbers = [row["merged_id"] for row in before["merged_boxes"] if row["image_id"] == 3]
    assert [box.merged_id for box in boxes[3].boxes] == numbers
    assert (len(answers[3]), len(answers[4])) == (4, 4)
    await fleet.rows.execute("INSERT INTO stale (stage, image_id) VALUES ('enrich', 9)")
    assert list((await take_lease(pool, settings, "enrich", 5)).tries) == [9]
    assert len((await read_boxes(fleet.rows, [9]))[9].boxes) == 2
    assert {3, 4, 9}.isdisjoint(await left(fleet.rows))
    assert await look(fleet.rows) == before


@pytest.mark.parametrize("stage", ["merge", "enrich", "consensus"])
async def test_an_image_in_the_older_form_is_not_taken_for_stale(fleet: Fleet, before: Seen, stage: Stage) -> None:
    ids = tuple(range(1, IMAGES + 1))
    page = await mark_page(fleet.rows, stage, SweepFilter(image_ids=ids), 0, dry=True)
    assert (page.looked_at, page.marked) == (IMAGES, 0)
    assert len(await left(fleet.rows)) == IMAGES, "who only looks converts nothing"


async def test_enrichment_in_the_older_form_is_forgotten_as_any(fleet: Fleet, before: Seen) -> None:
    await mark_page(fleet.rows, "enrich", SweepFilter(image_ids=(5, 6), everything=True), 0)
    seen = await fleet.rows.fetch("SELECT DISTINCT image_id FROM postprocessing ORDER BY image_id")
    assert [row["image_id"] for row in seen] == [one for one in range(1, IMAGES + 1) if one not in (5, 6)]
    assert (await look(fleet.rows))["merged_boxes"] == before["merged_boxes"]


async def test_rows_that_are_changed_by_hand_meanwhile_are_changed_as_if_they_were_converted(
    fleet: Fleet, before: Seen, pool: database.Pool, settings: Settings
) -> None:
    rows = fleet.rows
    await rows.execute(
        "UPDATE merged_boxes SET merged_data = '{\"label\": \"cat\"}' WHERE image_id = 1 AND box_key = 'key_1'"
    )
    await rows.execute("DELETE FROM merged_boxes WHERE image_id = 2")
    await rows.execute("UPDATE postprocessing SET final = false WHERE image_id = 3 AND service = 'pose'")
    await rows.execute("DELETE FROM postprocessing WHERE image_id = 4")
    await rows.execute("UPDATE consensus SET version = 7 WHERE image_id = 5")
    await rows.execute("DELETE FROM consensus WHERE image_id = 6")
    await rows.execute("DELETE FROM stale")
    by_hand = await look(rows)
    assert await converted(pool, settings)
    assert await look(rows) == by_hand
    kept = {view: [row for row in seen if row["image_id"] > 6] for view, seen in by_hand.items()}
    assert kept == {view: [row for row in seen if row["image_id"] > 6] for view, seen in before.items()}
    labels = await rows.fetch("SELECT box_key, merged_data ->> 'label' AS label FROM merged_boxes WHERE image_id <= 2")
    assert {row["box_key"]: row["label"] for row in labels} == {"key_1": "cat", "key_2": "dog"}
    answers = await rows.fetch("SELECT image_id, final FROM postprocessing WHERE image_id IN (3, 4)")
    assert sorted((row["image_id"], row["final"]) for row in answers) == [(3, False), (3, False), (3, True), (3, True)]
    votes = await rows.fetch("SELECT image_id, version FROM consensus WHERE image_id IN (5, 6)")
    assert [tuple(row) for row in votes] == [(5, 7)]


async def test_whoever_may_write_a_view_needs_no_rights_on_what_it_was_made_of(fleet: Fleet, tmp_path: Path) -> None:
    rows, name = fleet.rows, f"clerk_{fleet.settings.db_name}"
    await migrate_anew(rows, tmp_path, before=TOGETHER)
    await rows.execute(FILL + TOO_MANY)
    await rows.execute(f"CREATE ROLE {name}; GRANT SELECT, INSERT, UPDATE, DELETE ON postprocessing, stale TO {name}")
    await rows.execute(f"GRANT USAGE ON SCHEMA public TO {name}; GRANT SELECT ON stages TO {name}")
    try:
        await migrate(rows)
        await rows.execute(f"SET ROLE {name}")
        await rows.execute("UPDATE postprocessing SET final = false WHERE image_id = 1 AND service = 'face'")
        await rows.execute("RESET ROLE")
        assert await rows.fetchval("SELECT count(*) FROM postprocessing WHERE NOT final") == 2
    finally:
        await rows.execute(f"RESET ROLE; DROP OWNED BY {name}; DROP ROLE {name}")


async def test_answers_of_a_service_that_was_blind_before_the_migration_are_asked_for_again(
    fleet: Fleet, before: Seen, pool: database.Pool, settings: Settings
) -> None:
    rows = fleet.rows
    await rows.execute("""
        UPDATE postprocessing_before SET data = '{"predictions": []}', result_created = now() - interval '40 minutes'
        WHERE service = 'face' AND image_id IN (7, 8);
        UPDATE postprocessing_before SET data = '{"predictions": []}' WHERE service = 'face' AND image_id = 9;
        INSERT INTO canaries (service, found_at, blind_since, recovered_at)
        VALUES ('face', now() - interval '1 hour', now() - interval '30 minutes', now() - interval '1 minute')
    """)
    async with database.connection(settings, "test") as other, other.transaction():
        await lock_images(other, "merge", [8])
    assert not await CanaryNotes(pool, settings, settle_seconds=5.0).found("face", "face", 0.0)
    gone = {(row["image_id"], row["service"]) for row in before["postprocessing"]}
    gone -= {tuple(row) for row in await rows.fetch("SELECT image_id, service FROM postprocessing")}
    assert gone == {(7, "face"), (8, "face")}
    marks = await rows.fetch("SELECT DISTINCT stage, image_id FROM stale ORDER BY image_id, stage")
    assert [tuple(row) for row in marks] == [
        (stage, image_id) for image_id in (7, 8) for stage in ("consensus", "enrich", "index")
    ]


async def test_views_of_ones_own_that_would_show_ever_less_are_named_and_nothing_is_migrated(
    fleet: Fleet, tmp_path: Path, settings: Settings
) -> None:
    await migrate_anew(fleet.rows, tmp_path, before=TOGETHER)
    await fleet.rows.execute("CREATE VIEW mine AS SELECT image_id FROM merged_boxes")
    with pytest.raises(WindmillError, match="read the tables of before: mine; drop them"):
        async with database.connection(settings, "test") as connection:
            await migrate(connection)
    assert await fleet.rows.fetchval("SELECT max(version) FROM schema_migrations") == TOGETHER - 1


async def test_a_migration_that_waits_for_a_reader_does_not_make_the_others_wait(
    fleet: Fleet, tmp_path: Path, settings: Settings
) -> None:
    await migrate_anew(fleet.rows, tmp_path, before=TOGETHER)
    async with (
        database.connection(settings, "test") as long,
        database.connection(settings, "test") as migrating,
        database.connection(settings, "test") as short,
    ):
        reading = long.transaction()
        await reading.start()
        await long.execute("SELECT FROM consensus LIMIT 1")
        task = asyncio.create_task(migrate(migrating, lock_seconds=0.2))
        await until(lambda: waits_for_a_lock(fleet.rows), what="a migration that waits")
        assert await short.fetchval("SELECT count(*) FROM consensus") == 0
        assert not task.done()
        await reading.rollback()
        assert (await task)[0].version == TOGETHER
