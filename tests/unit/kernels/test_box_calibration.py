"""The constants of merging as a JSON document."""

import json

import pytest
from hypothesis import given

from tests.unit.detecting import CALIBRATION
from tests.unit.hostile_replies import any_json, steady
from windmill.core.settings import ROOT
from windmill.kernels.boxes.box_calibration import BoxCalibration, DetectorCalibration


def test_an_empty_document_is_enough() -> None:
    assert BoxCalibration.from_document({}) == BoxCalibration()


def test_a_calibration_survives_json() -> None:
    assert BoxCalibration.from_document(json.loads(json.dumps(CALIBRATION.as_document()))) == CALIBRATION


def test_the_calibration_that_windmill_comes_with_knows_the_three_detectors() -> None:
    document = json.loads((ROOT / "calibration.json").read_text(encoding="utf-8"))
    shipped = BoxCalibration.from_document(document["boxes"])
    assert sorted(shipped.detectors) == ["detectron2", "rtdetr", "yolov8"]
    assert shipped.knows("yolov8", "cell phone")
    assert not shipped.knows("yolov8", "wolf")


def test_a_service_that_is_not_listed_is_taken_for_unknown() -> None:
    calibration = BoxCalibration(unknown=DetectorCalibration(offset=-2.0))
    assert calibration.of("newcomer").offset == -2.0
    assert calibration.column("offset", ["newcomer"]).tolist() == [-2.0]
    assert calibration.knows("newcomer", "anything at all")


def test_a_vocabulary_holds_labels_however_they_are_spelt() -> None:
    document = {"vocabularies": {"few": ["Cell_Phone"]}, "detectors": {"yolov8": {"vocabulary": "few"}}}
    assert BoxCalibration.from_document(document).knows("yolov8", "cell phone")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "boxes is None, and must be an object"),
        ([], r"boxes is \[\], and must be an object"),
        ({"agreement": "0.5"}, "boxes.agreement is '0.5', and must be a number from 0 to 2"),
        ({"damping": 1.5}, "boxes.damping is 1.5, and must be a number from 0 to 1"),
        ({"size": True}, "boxes.size is True, and must be a number"),
        ({"size": float("nan")}, "boxes.size is nan, and must be a number"),
        ({"overlap": 0}, "boxes.overlap is 0, and must be a number from 0.05"),
        (
            {"agrement": 0.5},
            r"boxes.agrement is 0.5, and is not a known key; did you mean 'agreement'\? known: .*damping",
        ),
        ({"detectors": []}, r"boxes.detectors is \[\], and must be an object"),
        ({"detectors": {"yolov8": 5}}, "boxes.detectors.yolov8 is 5, and must be an object"),
        ({"detectors": {"yolov8": {"slope": -1}}}, "boxes.detectors.yolov8.slope is -1, and must be a number from 0"),
        ({"unknown": {"sloep": 1}}, "boxes.unknown.sloep is 1, and is not a known key; did you mean 'slope'"),
        ({"unknown": {"vocabulary": "coco"}}, "boxes.unknown.vocabulary is 'coco', and must be one of null"),
        ({"unknown": {"vocabulary": ["x"]}}, "boxes.unknown.vocabulary is"),
        ({"unknown": {"calibrated": 1}}, "boxes.unknown.calibrated is 1, and must be true or false"),
        ({"vocabularies": {"coco": "cup"}}, "boxes.vocabularies.coco is 'cup', and must be a list of labels"),
        ({"vocabularies": {"coco": ["cup", 5]}}, r"boxes.vocabularies.coco\[1\] is 5, and must be text"),
        (
            {"size": 9, "detectors": {"a": {"slope": -1}, "b": 5}},
            "boxes.detectors.a.slope is -1.*boxes.detectors.b is 5.*",
        ),
    ],
)
def test_a_mistake_is_told_with_key_and_value(document: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BoxCalibration.from_document(document)


@steady
@given(any_json)
def test_any_document_is_a_calibration_or_a_value_error(document: object) -> None:
    for one in (document, {"detectors": document}, {"unknown": document}, {"vocabularies": document}):
        try:
            BoxCalibration.from_document(one).as_document()
        except ValueError as error:
            assert "boxes" in str(error)  # noqa: PT017 - either outcome is right
