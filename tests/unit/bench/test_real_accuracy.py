"""The figures of real detectors: read from COCO files, judged once, and weighted by picture."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy.coco_results import read_results
from bench.accuracy.fleets import examples
from bench.accuracy.judged_pictures import JudgedPictures
from bench.accuracy.real import last_line, random_halves
from bench.accuracy.rivals import wbf
from windmill.kernels.boxes.box_fitting import BoxExample, rated
from windmill.kernels.boxes.detections import parse_detections

PICTURES = list(examples("usual", 12, 3))
CUP = [10.0, 10.0, 50.0, 50.0]


def pairs(pictures: list[BoxExample]) -> list:  # type: ignore[type-arg]
    return [(wbf(parse_detections(one.answers, one.size)[0]), one.truth()) for one in pictures]


def test_figures_of_all_pictures_are_those_of_the_kernel() -> None:
    expected = rated(pairs(PICTURES))
    found = JudgedPictures(pairs(PICTURES)).figures(np.ones(len(PICTURES)))
    assert found == {name: pytest.approx(expected[name]) for name in found}


def test_a_picture_that_counts_twice_is_as_good_as_two_and_one_that_counts_nothing_as_none() -> None:
    weights = np.array([2.0, 0.0, *[1.0] * (len(PICTURES) - 2)])
    found = JudgedPictures(pairs(PICTURES)).figures(weights)
    expected = JudgedPictures(pairs([PICTURES[0], PICTURES[0], *PICTURES[2:]])).figures(np.ones(len(PICTURES)))
    assert found["mAP"] == pytest.approx(expected["mAP"], abs=0.002)  # equal scores may stand in another order
    assert [found["F1"], found["ECE"]] == pytest.approx([expected["F1"], expected["ECE"]])


def test_a_folder_of_results_is_read_from_a_score_on_and_without_crowds(tmp_path: Path) -> None:
    truth = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 90, "height": 80}],
        "categories": [{"id": 3, "name": "cup"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": CUP, "iscrowd": crowd, "area": 9} for crowd in (0, 1)
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    for name, score in (("one", 0.9), ("two", 0.04)):
        found = [{"image_id": 7, "category_id": 3, "bbox": CUP, "score": score}]
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    (picture,) = read_results(tmp_path, 0.05)
    assert (picture.labels, picture.boxes, picture.size) == (["cup"], [CUP], (90, 80))
    assert picture.answers == {"one": [{"label": "cup", "confidence": 0.9, "bbox": CUP}], "two": []}


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="needs one file of COCO annotations"):
        read_results(tmp_path, 0.05)


def test_halves_are_halves_and_the_same_for_a_seed() -> None:
    halves = random_halves(9, 5, seed=1)
    assert [int(known.sum()) for known in halves] == [4] * 5
    assert [known.tolist() for known in random_halves(9, 5, seed=1)] == [known.tolist() for known in halves]
    assert len({tuple(known.tolist()) for known in halves}) > 1


def test_the_last_line_has_both_methods() -> None:
    ours, anchor = {"mAP": 0.38, "F1": 0.48, "ECE": 0.01}, {"mAP": 0.37, "F1": 0.24, "ECE": 0.03}
    assert last_line(ours, anchor) == (
        "real: windmill mAP 0.3800 F1@.5 0.480 ECE 0.010, WBF tuned mAP 0.3700 F1@.5 0.240 ECE 0.030"
    )
