"""Boxes of an image, and answers about them, stand in one row; people see and write them by views."""

from pathlib import Path

import asyncpg
import pytest

from tests.integration.fleet import Fleet
from tests.integration.older_schema import migrate_anew
from windmill.core.settings import Settings
from windmill.derive.stored_answers import delete_answers_of_vanished_boxes, read_answers
from windmill.derive.stored_boxes import read_boxes
from windmill.storage import database
from windmill.storage.conversion import read_conversion
from windmill.storage.migrations import migrate

pytestmark = pytest.mark.database

BEFORE = 34
"""The migration that puts rows together."""
COMMON = '"services": ["yolov8"], "awaiting_services": ["rtdetr"], "failed_services": ["detectron2"]'
FILL = f"""
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT n, '{{4,5}}', '{{yolov8}}', '{{rtdetr}}', '{{}}', 2, 2, 'mine' FROM generate_series(1, 2) AS n;
INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data, anchor, version, calibration)
SELECT image_id, 'key_' || n, '{{4,5}}', '{{"label": "dog", "number": 0.5, {COMMON}}}', ARRAY[n, 2, 3, 4], 2, 'mine'
FROM merges, generate_series(1, 2) AS n;
INSERT INTO postprocessing (image_id, merged_box_id, box_key, service, data, status, error_code, error_message,
                            processing_time, attempt, final, version)
SELECT image_id, merged_id, box_key, 'face', '{{"predictions":[{{"label":null}}]}}'::json, 'success', NULL, NULL,
       0.25, 1, true, 1
FROM merged_boxes
UNION ALL SELECT image_id, merged_id, box_key, 'pose', NULL::json, 'error', 'SERVICE_ERROR', 'away', NULL, 2, false, 1
FROM merged_boxes WHERE box_key = 'key_2';
"""
BOXES = """
SELECT image_id, merged_id, box_key, source_result_ids, merged_data::text, status, anchor, version, calibration
FROM merged_boxes ORDER BY image_id, merged_id
"""
ANSWERS = """
SELECT image_id, post_id, merged_box_id, box_key, service, data::text, status, error_code, processing_time,
       result_created, error_message, attempt, final, version
FROM postprocessing ORDER BY image_id, post_id
"""


async def test_rows_that_were_there_before_are_seen_as_they_were(settings: Settings, tmp_path: Path) -> None:
    async with database.connection(settings, "test") as rows:
        await migrate_anew(rows, tmp_path, before=BEFORE)
        await rows.execute("INSERT INTO stages (stage) VALUES ('merge'), ('enrich'), ('consensus'), ('index')")
        await rows.execute(FILL + "; DELETE FROM stale")
        boxes, answers = await rows.fetch(BOXES), await rows.fetch(ANSWERS)
        await migrate(rows)
        assert (len(boxes), len(answers)) == (4, 6)
        assert await rows.fetch(BOXES) == boxes
        assert await rows.fetch(ANSWERS) == answers
        assert await rows.fetchval("SELECT count(*) FROM stale") == 0, "nothing is computed anew"
        assert await read_conversion(rows) is None, "so few are converted at once"
        await _numbers_go_on(rows, boxes, answers)


async def _numbers_go_on(rows: asyncpg.Connection, boxes: list[asyncpg.Record], answers: list[asyncpg.Record]) -> None:
    assert await rows.fetchval("SELECT nextval('merged_ids')") > max(row["merged_id"] for row in boxes)
    assert await rows.fetchval("SELECT nextval('post_ids')") > max(row["post_id"] for row in answers)


async def test_boxes_and_answers_that_are_written_by_hand_are_read_by_stages(fleet: Fleet) -> None:
    await fleet.rows.execute(FILL)
    await fleet.rows.execute("UPDATE merged_boxes SET merged_data = '{\"label\": \"cat\"}' WHERE box_key = 'key_1'")
    await fleet.rows.execute("DELETE FROM merged_boxes WHERE image_id = 2 AND box_key = 'key_2'")
    await fleet.rows.execute("UPDATE postprocessing SET final = true WHERE image_id = 1 AND service = 'pose'")
    await fleet.rows.execute("DELETE FROM postprocessing WHERE image_id = 2")
    boxes, answers = await read_boxes(fleet.rows, [1, 2, 3]), await read_answers(fleet.rows, [1, 2, 3])
    seen = {image_id: {one.box_key: one.data["label"] for one in found.boxes} for image_id, found in boxes.items()}
    assert seen == {1: {"key_1": "cat", "key_2": "dog"}, 2: {"key_1": "cat"}}
    assert boxes[1].source_result_ids == (4, 5)
    assert [(one.box_key, one.service, one.status, one.final) for one in answers.pop(1)] == [
        ("key_1", "face", "success", True),
        ("key_2", "face", "success", True),
        ("key_2", "pose", "error", True),
    ]
    assert answers == {}
    assert await fleet.rows.fetchval("SELECT count(*) FROM enrichments") == 1, "without answers there is no row"


async def test_an_error_without_a_code_is_refused(fleet: Fleet) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="an error has a code"):
        await fleet.rows.execute(
            "INSERT INTO postprocessing (image_id, box_key, service, status) VALUES (1, 'a', 'face', 'error')"
        )


async def test_answers_about_boxes_that_are_gone_go_and_the_others_stay(fleet: Fleet) -> None:
    await fleet.rows.execute(FILL)
    before = await read_answers(fleet.rows, [1, 2])
    await delete_answers_of_vanished_boxes(fleet.rows, {1: {"key_2"}, 2: {"other"}})
    assert await read_answers(fleet.rows, [1, 2]) == {1: [one for one in before[1] if one.box_key == "key_2"]}
