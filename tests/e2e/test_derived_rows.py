"""What is made of results: images whose answers change, go or are put in by hand."""

import json
import subprocess
import sys
from functools import partial

import pytest

from tests.e2e.postprocessor_scene import box, fresh, says, started
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.database, pytest.mark.timeout(180)]


async def test_of_an_image_whose_answers_are_deleted_nothing_is_left(fleet: Fleet) -> None:
    await started(fleet, "bbox_merger")
    await started(fleet, "consensus")
    await says(fleet, 1, "yolov8", [box(0)])
    await says(fleet, 2, "yolov8", [box(0)])
    await fresh(fleet)
    await fleet.rows.execute("DELETE FROM results WHERE image_id = 1")
    await fresh(fleet)
    for table in ("merges", "merged_boxes", "consensus"):
        left = await fleet.rows.fetch(f"SELECT image_id FROM {table}")
        assert [row["image_id"] for row in left] == [2], table


async def test_boxes_that_are_changed_or_deleted_by_hand_come_back(fleet: Fleet) -> None:
    await started(fleet, "all")
    await says(fleet, 1, "yolov8", [box(0), box(1)])
    await fresh(fleet)
    there = "SELECT box_key, merged_data::text FROM merged_boxes ORDER BY 1"
    before = await fleet.rows.fetch(there)
    await fleet.rows.execute("UPDATE merged_boxes SET merged_data = merged_data || '{\"confidence\": 0.1}'")
    await fresh(fleet)
    assert await fleet.rows.fetch(there) == before
    await fleet.rows.execute("DELETE FROM merged_boxes")
    await fresh(fleet)
    assert await fleet.rows.fetch(there) == before


async def test_votes_that_are_changed_or_deleted_by_hand_come_back(fleet: Fleet) -> None:
    await started(fleet, "all")
    for image_id in (1, 2):
        await says(fleet, image_id, "yolov8", [box(0)])
    await fresh(fleet)
    there = "SELECT image_id, consensus_data::text FROM consensus ORDER BY 1"
    before = await fleet.rows.fetch(there)
    assert len(before) == 2
    await fleet.rows.execute("UPDATE consensus SET consensus_data = '{}' WHERE image_id = 1")
    await fleet.rows.execute("DELETE FROM consensus WHERE image_id = 2")
    await fresh(fleet)
    assert await fleet.rows.fetch(there) == before


async def test_with_one_service_there_is_a_result_and_each_further_one_makes_it_surer(fleet: Fleet) -> None:
    await fleet.rows.execute(
        "INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)"
        " VALUES ('{yolov8,rtdetr,clip}', 'new', 0, 10, 10)"
    )
    await started(fleet, "all", DEBOUNCE_MOST_SECONDS="0.3")
    seen = []
    for count, service in enumerate(("yolov8", "rtdetr", "clip"), 1):
        what = {"label": "dog", "confidence": 0.8, "emoji": "🐶"} if service == "clip" else box(0, confidence=0.8)
        await says(fleet, 7, service, [what])
        await until(partial(_rests_on, fleet, count), 30, fleet.logs)
        await fresh(fleet)
        data = json.loads(await fleet.rows.fetchval("SELECT consensus_data FROM consensus WHERE image_id = 7"))
        items = [*data["votes"]["consensus"], *data["votes"]["runners_up"]]
        dog = next(one for one in items if one["emoji"] == "🐶")
        seen.append((dog["probability"], sorted(dog["awaiting"])))
    assert [awaiting for _, awaiting in seen] == [["clip", "rtdetr"], ["clip"], []]
    assert seen[0][0] < seen[1][0] < seen[2][0]


async def _rests_on(fleet: Fleet, answers: int) -> bool:
    found = await fleet.rows.fetchval("SELECT cardinality(source_result_ids) FROM consensus WHERE image_id = 7")
    return bool(found == answers)


def test_the_post_processors_say_what_they_are_when_asked() -> None:
    for module in ("bbox_merger", "consensus", "image_index", "spatial_enrichment", "all"):
        command = [sys.executable, "-m", f"postprocessors.{module}", "--help"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
        assert f"python -m postprocessors.{module}" in said
