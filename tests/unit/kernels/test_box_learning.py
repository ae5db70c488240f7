"""What a detector is worth, out of answers without any truth."""

import random
from collections.abc import Iterator

import pytest

from tests.unit.detecting import seen
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_learning import FEWEST_BOXES, learn
from windmill.kernels.boxes.fusion import merge

Answers = dict[str, object]


def history(count: int, services: tuple[str, ...] = ("good", "other", "liar")) -> Iterator[Answers]:
    """Two detectors see the same thing, mostly; a third is as sure of itself, and sees things that are not there."""
    dice = random.Random(5)
    for _ in range(count):
        x, y = dice.randrange(300), dice.randrange(300)
        thing, nothing = (x, y, 80, 60), (x + 300, y + 300, 50, 50)
        sure = dice.uniform(0.3, 1)
        said = {
            "good": [seen("cup", thing, sure)] if dice.random() < 0.9 else [],
            "other": [seen("cup", thing, dice.uniform(0.3, 1))] if dice.random() < 0.9 else [],
            "liar": [seen("cup", nothing if dice.random() < 0.8 else thing, dice.uniform(0.3, 1))],
        }
        yield {name: found for name, found in said.items() if name in services}


def lone_confidence(service: str, calibration: BoxCalibration) -> float:
    (box,) = merge({service: [seen("cup", (9, 9, 50, 50), 0.9)]}, calibration).boxes
    return box.confidence


def test_who_is_confirmed_by_others_is_still_believed_and_who_is_not_is_believed_less() -> None:
    found = learn(history(400), BoxCalibration()).calibration
    assert lone_confidence("good", found) > 0.8
    assert lone_confidence("liar", found) < lone_confidence("liar", BoxCalibration()) - 0.1


def noise(count: int) -> Iterator[Answers]:
    """Two detectors make the same mistakes: all that they see, weakly, is nothing."""
    dice = random.Random(7)
    for _ in range(count):
        places = [(60 * place, 10, 50, 50) for place in range(6)]
        yield {
            name: [seen("cup", place, dice.uniform(0.05, 0.3)) for place in places if dice.random() < 0.8]
            for name in ("one", "two")
        }


def test_agreement_is_never_a_reason_to_believe_weak_boxes_more() -> None:
    start = BoxCalibration()
    twins = [{name: [seen("cup", (9, 9, 50, 50), 0.9)] for name in ("good", "other")} for _ in range(300)]
    for answers in (twins, list(noise(300))):
        for name, known in learn(answers, start).calibration.detectors.items():
            assert known.offset <= start.of(name).offset


def test_without_labels_no_detector_counts_as_calibrated() -> None:
    found = learn(history(400), BoxCalibration()).calibration
    assert not any(one.calibrated for one in found.detectors.values())


def test_thresholds_and_silence_keep_their_meaning() -> None:
    start, found = BoxCalibration(), learn(history(400), BoxCalibration()).calibration
    for name, known in found.detectors.items():
        assert (known.least, known.silence) == (start.of(name).least, start.of(name).silence)


@pytest.mark.parametrize("answers", [[], list(history(FEWEST_BOXES // 2)), list(history(400, ("good",)))])
def test_too_few_answers_and_a_detector_without_others_teach_nothing(answers: list[Answers]) -> None:
    found = learn(answers, BoxCalibration())
    assert found.calibration == BoxCalibration()
    assert not any(one.learnt for one in found.reports)


def test_the_report_says_what_was_seen_of_each() -> None:
    reports = {one.service: one for one in learn(history(400), BoxCalibration()).reports}
    assert reports["good"].confirmed > 0.8 > 0.4 > reports["liar"].confirmed
    assert reports["liar"].missed is not None
    assert reports["liar"].missed > 0.5
    assert reports["liar"].boxes == 400


def test_learning_twice_gives_the_same() -> None:
    assert learn(history(200), BoxCalibration()) == learn(history(200), BoxCalibration())
