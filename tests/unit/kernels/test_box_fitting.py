"""Constants out of images of which the truth is known, and what they are worth."""

from dataclasses import replace

import pytest

from bench.accuracy.boxes import methods
from bench.accuracy.fleets import DETECTORS, examples
from tests.unit.detecting import seen
from windmill.kernels.boxes.box_calibration import BoxCalibration, DetectorCalibration
from windmill.kernels.boxes.box_fitting import BoxExample, fit, rated, score
from windmill.kernels.boxes.fusion import merge

FAR_OFF = DetectorCalibration(least=0.25, offset=-0.3, slope=2.0)
START = BoxCalibration(detectors={"detectron2": replace(FAR_OFF, least=0.5)}, unknown=FAR_OFF)
KNOWN = list(examples("usual", 60, 105))
UNSEEN = list(examples("usual", 60, 106))
CUP = (10, 10, 50, 50)


def only(services: tuple[str, ...], images: list[BoxExample]) -> list[BoxExample]:
    return [replace(one, answers={service: one.answers[service] for service in services}) for one in images]


def far_from(start: BoxCalibration, found: BoxCalibration) -> float:
    names = ("agreement", "damping", "size", "part")
    return float(max(abs(getattr(start, name) - getattr(found, name)) for name in names))


@pytest.fixture(scope="module")
def fitted() -> BoxCalibration:
    return fit(KNOWN, START)


def test_fitted_confidences_are_nearer_to_the_truth_of_other_images(fitted: BoxCalibration) -> None:
    assert score(UNSEEN, fitted)["ECE"] < score(UNSEEN, START)["ECE"]
    assert score(UNSEEN, fitted)["F1"] > score(UNSEEN, START)["F1"]


@pytest.mark.parametrize("service", DETECTORS)
def test_one_service_alone_is_ranked_no_worse_than_by_its_own_confidences(fitted: BoxCalibration, service: str) -> None:
    images = only((service,), UNSEEN)
    alone = rated([(methods(fitted)["alone"](one), one.truth()) for one in images])
    assert score(images, fitted)["mAP"] >= alone["mAP"]


def test_fitting_the_same_twice_gives_the_same(fitted: BoxCalibration) -> None:
    assert fit(KNOWN, START) == fitted
    assert BoxCalibration.from_document(fitted.as_document()) == fitted


def test_few_images_hardly_move_what_is_believed(fitted: BoxCalibration) -> None:
    few = fit(KNOWN[:3], START)
    assert 0 < far_from(START, few) < far_from(START, fitted)
    assert score(UNSEEN, few)["mAP"] > score(UNSEEN, START)["mAP"] - 0.01


def test_no_images_move_nothing() -> None:
    assert fit([], START) == START
    assert fit([BoxExample({}, [], [])], START) == START


def test_a_service_that_is_always_wrong_loses_its_worth() -> None:
    lies = [seen("cup", (300, 300, 50, 50), 0.9)]
    images = [
        BoxExample({"good": [seen("cup", CUP, 0.9)], "liar": lies}, [CUP], ["cup"], (640, 480)) for _ in range(60)
    ]
    found = fit(images, BoxCalibration())
    assert found.of("liar").offset + found.of("liar").slope < 0 < found.of("good").offset + found.of("good").slope


def test_a_looser_service_is_told_from_a_tight_one() -> None:
    answers = {"loose": [seen("cup", (16, 6, 44, 58))], "tight": [seen("cup", CUP)]}
    found = fit([BoxExample(answers, [CUP], ["cup"])] * 60, BoxCalibration())
    assert found.of("tight").looseness < 0.035 < found.of("loose").looseness


def by_stated_confidence(fitted: BoxCalibration) -> BoxCalibration:
    """The same constants, with boxes that weigh in a merged box what their detectors state."""
    return replace(fitted, detectors={name: replace(one, calibrated=False) for name, one in fitted.detectors.items()})


def test_a_merged_box_follows_the_detector_that_is_right_rather_than_the_one_that_is_sure() -> None:
    right, wrong = [seen("cup", CUP, 0.9)], [seen("cup", (300, 300, 50, 50), 0.9)]
    images = [
        BoxExample({"modest": [seen("cup", CUP, 0.3)], "boaster": boasted}, [CUP], ["cup"])
        for boasted in (right, wrong) * 50
    ]
    fitted = fit(images, BoxCalibration())
    apart = {"modest": [seen("cup", (10, 10, 50, 50), 0.3)], "boaster": [seen("cup", (22, 10, 50, 50), 0.9)]}
    left, left_as_stated = (
        merge(apart, calibration).boxes[0].box[0] for calibration in (fitted, by_stated_confidence(fitted))
    )
    assert left < 13 < left_as_stated


def test_a_detector_is_calibrated_once_enough_of_its_boxes_were_compared_with_the_truth(fitted: BoxCalibration) -> None:
    few = fit(KNOWN[:3], START)
    assert [few.of(service).calibrated for service in DETECTORS] == [False] * 3
    assert [fitted.of(service).calibrated for service in DETECTORS] == [True] * 3
    assert [fit(KNOWN[:3], fitted).of(service).calibrated for service in DETECTORS] == [True] * 3
    assert not fitted.of("newcomer").calibrated


def test_the_truth_may_be_spelt_as_it_likes() -> None:
    images = [BoxExample({"yolov8": [seen("cell phone", CUP)]}, [CUP], ["Cell_Phone"])]
    assert score(images, START)["mAP"] == pytest.approx(1)


def test_strange_answers_neither_break_fitting_nor_scoring() -> None:
    images = [BoxExample({"yolov8": [7, None, {}], "rtdetr": "nonsense"}, [CUP], ["cup"]), *KNOWN[:2]]
    assert score(images, fit(images, START))["mAP"] > 0
