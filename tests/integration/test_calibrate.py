"""python -m windmill calibrate and learn: constants that fit labelled images, or the answers of a fleet alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.accuracy.scenes import answered
from dev.farm.scenes import coco_document
from tests.integration.fleet import Finished, Fleet
from windmill.core.settings import ROOT
from windmill.derive.calibration import load_calibration

pytestmark = pytest.mark.database

SCENES = 60
SAVE = "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', $3)"


async def labelled(fleet: Fleet, count: int = SCENES, group: str = "g") -> Path:
    """Images with answers in the database, and their truth as a COCO file."""
    scenes, rows = [], []
    ids = await fleet.register(count, group)
    for image_id, one in zip(ids, answered(count, seed=50), strict=True):
        scenes.append((f"scene_{image_id}.jpg", one.scene))
        for service, predictions in one.answers.items():
            document = {"service": service, "status": "success", "predictions": predictions}
            rows.append((image_id, service, json.dumps(document)))
    await fleet.rows.executemany(SAVE, rows)
    await fleet.rows.execute(
        "UPDATE images SET image_filename = 'scene_' || image_id || '.jpg' WHERE image_group = $1", group
    )
    truth = fleet.folder / "truth.json"
    truth.write_text(json.dumps(coco_document(scenes)))
    return truth


async def calibrate(fleet: Fleet, truth: Path, *arguments: str, **variables: str) -> Finished:
    return await fleet.run("windmill", "calibrate", "--truth", str(truth), *arguments, **variables)


@pytest.mark.slow(reason="8 s: a fleet of made answers is fitted")
async def test_it_says_how_good_boxes_and_votes_are_before_and_after_and_writes_what_can_be_used(fleet: Fleet) -> None:
    truth, out = await labelled(fleet), fleet.folder / "mine.json"
    end = await calibrate(fleet, truth, "--group", "g", "--out", str(out), "--name", "mine-1", "--json")
    assert end.code == 0, end.err
    said = end.json()
    assert {part: one["images"] for part, one in said["parts"].items()} == {"boxes": SCENES // 2, "votes": SCENES // 2}
    assert {"mAP", "F1", "ECE"} <= said["parts"]["boxes"]["before"].keys() == said["parts"]["boxes"]["after"].keys()
    assert {"F1", "AP", "ECE", "Brier"} <= said["parts"]["votes"]["after"].keys()
    written = load_calibration(out)
    assert written.version == "mine-1"
    assert f"{SCENES} images of group g" in written.origin
    assert written.boxes != load_calibration(ROOT / "calibration.json").boxes


async def test_without_labels_it_learns_from_what_detectors_agree_on_and_writes_what_can_be_used(fleet: Fleet) -> None:
    await labelled(fleet)
    out = fleet.folder / "learnt.json"
    end = await fleet.run("windmill", "learn", "--group", "g", "--out", str(out), "--name", "learnt-1", "--json")
    assert end.code == 0, end.err
    said = end.json()
    assert (said["after"], said["images"]) == ("learnt-1", SCENES)
    assert {name for name, one in said["detectors"].items() if one["learnt"]} == {"detectron2", "rtdetr", "yolov8"}
    assert all(0.3 < one["confirmed"] < 1 and 0 < one["missed"] < 1 for one in said["detectors"].values())
    written, shipped = load_calibration(out), load_calibration(ROOT / "calibration.json")
    assert written.version == "learnt-1"
    assert f"{SCENES} images of group g, without labels" in written.origin
    assert written.boxes.of("yolov8").offset <= shipped.boxes.of("yolov8").offset, "agreement never makes surer"
    votes = said["votes"]
    assert (votes["images"], votes["learnt"], votes["voice"]) == (SCENES, True, written.votes.boxes.voice)
    assert 200 < votes["shown"] < votes["named"]
    assert written.votes.boxes != shipped.votes.boxes
    assert abs(written.votes.boxes.voice - shipped.votes.boxes.voice) < 1, "this fleet is a typical one"
    end = await fleet.run("windmill", "learn", "--group", "g", CALIBRATION=str(out))
    assert (end.code, "nothing is learnt: these weights are not those" in end.out) == (0, True)
    await fleet.rows.execute("DELETE FROM results WHERE service = 'clip' AND image_id % 10 <> 0")
    end = await fleet.run("windmill", "learn", "--group", "g", "--json")
    assert end.json()["votes"]["images"] == SCENES, "a service that is seldom asked is not waited for"
    await fleet.rows.execute("DELETE FROM results WHERE service = 'blip' AND image_id % 10 = 0")
    end = await fleet.run("windmill", "learn", "--group", "g")
    assert f"votes: {SCENES - SCENES // 10} images have all answers" in end.out, (
        "images with fewer answers are left out"
    )
    end = await fleet.run("windmill", "learn", "--group", "g", "--images", "3")
    assert (end.code, "no detector has" in end.err) == (2, True)


@pytest.mark.slow(reason="9 s: fits constants to hundreds of images")
async def test_constants_that_are_far_off_are_mended_by_labelled_images(fleet: Fleet) -> None:
    document: dict[str, Any] = load_calibration(ROOT / "calibration.json").as_document()
    bad = fleet.folder / "bad.json"
    bad.write_text(json.dumps(document | {"version": "bad", "boxes": {}, "votes": {}}))
    end = await calibrate(fleet, await labelled(fleet), "--json", CALIBRATION=str(bad))
    assert end.code == 0, end.err
    for part in end.json()["parts"].values():
        assert part["after"]["ECE"] < part["before"]["ECE"]
        assert part["after"]["F1"] >= part["before"]["F1"] - 0.01, "of hundreds of things it loses one or two at most"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is not in the COCO format"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "is not in the COCO format"),
        ('{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}', "20 are needed"),
    ],
)
async def test_a_file_that_is_no_truth_is_named_with_what_it_should_be(fleet: Fleet, text: str, said: str) -> None:
    truth = fleet.folder / "truth.json"
    truth.write_text(text)
    end = await calibrate(fleet, truth)
    assert (end.code, "Traceback" in end.err) == (2, False)
    assert said in end.err
    assert "truth.json" in end.err


async def test_two_images_of_one_name_are_not_guessed_at_and_no_calibration_is_overwritten(fleet: Fleet) -> None:
    truth = await labelled(fleet, 25)
    end = await calibrate(fleet, truth, "--out", str(truth))
    assert (end.code, "is there already" in end.err) == (2, True)
    end = await calibrate(fleet, truth, "--out", "/nowhere/x.json")
    assert (end.code, "there is no folder /nowhere" in end.err) == (2, True)
    end = await calibrate(fleet, truth, "--group", "nobody")
    assert (end.code, "no image has the group 'nobody'" in end.err) == (2, True)
    await fleet.rows.execute(
        "INSERT INTO images (image_filename, image_path, image_group)"
        " SELECT image_filename, image_path || '2', 'h' FROM images"
    )
    end = await calibrate(fleet, truth)
    assert (end.code, "2 images are called" in end.err) == (2, True)
    assert (await calibrate(fleet, truth, "--group", "g")).code == 0
