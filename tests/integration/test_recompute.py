"""python -m windmill recompute and repair --only-derived: which images are looked at again."""

import pytest

from tests.integration.fleet import Finished, Fleet

pytestmark = pytest.mark.database

IMAGES = 6
FILL = """
INSERT INTO stages (stage) VALUES ('merge'), ('enrich'), ('consensus');
INSERT INTO feeds VALUES ('merge', 'yolov8'), ('consensus', 'yolov8'), ('consensus', 'clip');
INSERT INTO images (image_id, image_filename, image_path, image_group)
SELECT i, i || '.jpg', '/' || i, CASE WHEN i <= 2 THEN 'g' END FROM generate_series(1, 6) AS i;
INSERT INTO results (image_id, service, status, data)
SELECT i, 'yolov8', 'success', '{}' FROM generate_series(1, 6) AS i;
INSERT INTO merges (image_id, source_result_ids, services, awaiting, dropped, boxes, version, calibration)
SELECT image_id, ARRAY[result_id], '{yolov8}', '{}', '{}', 1, CASE WHEN image_id <= 3 THEN 1 ELSE 2 END,
       'of the farm'
FROM results;
"""


@pytest.fixture
async def filled(fleet: Fleet) -> Fleet:
    """Six images that are all merged; their boxes, enrichment and votes are there, too."""
    rows = fleet.rows
    await rows.execute(FILL)
    await rows.execute(
        "INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)"
        " SELECT image_id, 'a', ARRAY[result_id], '{}' FROM results"
    )
    await rows.execute(
        "INSERT INTO postprocessing (image_id, box_key, service, status, version)"
        " SELECT image_id, 'a', 'colors', 'success', 1 FROM results"
    )
    await rows.execute(
        "INSERT INTO consensus (image_id, consensus_data, source_result_ids, source_merged_ids, source_post_ids)"
        " SELECT image_id, '{}', ARRAY[result_id], ARRAY[merged_id], ARRAY[post_id]"
        " FROM results JOIN merged_boxes USING (image_id) JOIN postprocessing USING (image_id)"
    )
    await rows.execute("DELETE FROM stale")
    return fleet


async def marked(fleet: Fleet, stage: str) -> list[int]:
    rows = await fleet.rows.fetch("DELETE FROM stale WHERE stage = $1 RETURNING image_id", stage)
    return sorted(row["image_id"] for row in rows)


async def recompute(fleet: Fleet, *arguments: str) -> Finished:
    return await fleet.run("windmill", "recompute", "--json", *arguments)


@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        (["--stage", "merge"], [1, 2, 3, 4, 5, 6]),
        (["--stage", "merge", "--group", "g"], [1, 2]),
        (["--stage", "merge", "--image-ids", "5,2"], [2, 5]),
        (["--stage", "merge", "--older-than-version", "2"], [1, 2, 3]),
        (["--stage", "merge", "--older-than-version", "2", "--group", "g"], [1, 2]),
        (["--stage", "consensus", "--older-than-version", "1"], [1, 2, 3, 4, 5, 6]),
    ],
)
async def test_the_images_that_are_meant_are_marked_and_no_others(
    filled: Fleet, arguments: list[str], images: list[int]
) -> None:
    end = await recompute(filled, *arguments)
    assert end.code == 0, end.err
    assert end.json()["marked"] == len(images)
    assert await marked(filled, arguments[1]) == images


async def test_to_enrich_anew_the_answers_that_are_there_are_thrown_away(filled: Fleet) -> None:
    assert (await recompute(filled, "--stage", "enrich", "--older-than-version", "1")).json()["marked"] == 0
    assert (await recompute(filled, "--stage", "enrich", "--group", "g")).json()["marked"] == 2
    assert await filled.rows.fetchval("SELECT array_agg(image_id ORDER BY 1) FROM postprocessing") == [3, 4, 5, 6]
    assert set(await marked(filled, "enrich")) == {1, 2}


async def test_a_dry_run_counts_and_marks_nothing(filled: Fleet) -> None:
    end = await recompute(filled, "--stage", "enrich", "--dry-run")
    assert end.json()["marked"] == IMAGES
    assert await filled.rows.fetchval("SELECT count(*) FROM stale") == 0
    assert await filled.rows.fetchval("SELECT count(*) FROM postprocessing") == IMAGES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stage", "enrich", "--other-calibration"], "no calibration enters"),
        (["--stage", "merge", "--group", "nobody"], "no image has the group 'nobody'"),
        (["--stage", "polish"], "invalid choice"),
        (["--stage", "merge", "--group", "g", "--image-ids", "1"], "not allowed with"),
    ],
)
async def test_a_users_mistake_is_said_in_a_line(filled: Fleet, arguments: list[str], said: str) -> None:
    end = await recompute(filled, *arguments)
    assert (end.code, said in end.err, "Traceback" in end.err) == (2, True, False), end.err


async def test_a_stage_that_nobody_ever_ran_is_not_marked_for_ever(fleet: Fleet) -> None:
    end = await recompute(fleet, "--stage", "merge")
    assert (end.code, "no post-processor of the stage merge has ever run" in end.err) == (2, True)


async def repaired(fleet: Fleet) -> dict[str, int]:
    end = await fleet.run("windmill", "repair", "--only-derived", "--json")
    assert end.code == 0, end.err
    found: dict[str, int] = end.json()["stale_images"]
    return found


async def test_repair_finds_nothing_where_all_is_well(filled: Fleet) -> None:
    assert await repaired(filled) == {"merge": 0, "enrich": 0, "consensus": 0}
    assert await filled.rows.fetchval("SELECT count(*) FROM stale") == 0


async def test_repair_finds_what_was_written_while_the_triggers_were_off(filled: Fleet) -> None:
    rows = filled.rows
    await rows.execute("ALTER TABLE results DISABLE TRIGGER USER")
    await rows.execute("UPDATE results SET result_id = nextval('result_ids') WHERE image_id = 3")
    await rows.execute("INSERT INTO results (image_id, service, status, data) VALUES (7, 'clip', 'success', '{}')")
    assert await repaired(filled) == {"merge": 1, "enrich": 0, "consensus": 2}
    assert await marked(filled, "merge") == [3]
    assert await marked(filled, "consensus") == [3, 7]


async def test_repair_finds_what_is_left_of_results_that_were_truncated(filled: Fleet) -> None:
    await filled.rows.execute("TRUNCATE results")
    assert await repaired(filled) == {"merge": IMAGES, "enrich": 0, "consensus": IMAGES}


async def test_repair_finds_boxes_that_nobody_has_looked_at_and_looks_at_boxes_that_are_gone(filled: Fleet) -> None:
    rows = filled.rows
    await rows.execute("DELETE FROM postprocessing WHERE image_id = 2")
    await rows.execute("DELETE FROM merged_boxes WHERE image_id = 4")
    await rows.execute("UPDATE postprocessing SET final = false WHERE image_id = 5")
    await rows.execute("DELETE FROM stale")
    assert await repaired(filled) == {"merge": 1, "enrich": 3, "consensus": 2}
    assert await marked(filled, "merge") == [4]
    assert await marked(filled, "enrich") == [2, 4, 5]
