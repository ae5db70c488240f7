"""What is read out of the predictions of detectors, and what is left out and why."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.detecting import any_answers
from tests.unit.hostile_replies import any_json, any_object, any_text, steady
from windmill.kernels.boxes.detections import DEFAULT_CONFIDENCE, MAX_DETECTIONS, parse_detections

BOX = {"x": 10, "y": 20, "width": 30, "height": 40}
CUP = {"label": "cup", "confidence": 0.7, "bbox": BOX}


@pytest.mark.parametrize(
    ("bbox", "corners"),
    [
        (BOX, [10, 20, 40, 60]),
        ([10, 20, 30, 40], [10, 20, 40, 60]),
        ([-10, 20.5, 3000, 40], [-10, 20.5, 2990, 60.5]),
    ],
)
def test_boxes_come_as_objects_and_lists_and_may_leave_the_image(bbox: object, corners: list[float]) -> None:
    found, dropped = parse_detections({"yolov8": [CUP | {"bbox": bbox}]}, (640, 480))
    assert found.corners.tolist() == [corners]
    assert dropped == {}


@pytest.mark.parametrize(
    ("prediction", "reason"),
    [
        (7, "not_an_object"),
        (None, "not_an_object"),
        ({"confidence": 0.7, "bbox": BOX}, "no_label"),
        (CUP | {"label": 5}, "no_label"),
        ({"label": "cup", "confidence": 0.7}, "no_bbox"),
        (CUP | {"bbox": None}, "no_bbox"),
        (CUP | {"bbox": {}}, "bad_bbox"),
        (CUP | {"bbox": "10,20,30,40"}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, 3]}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, 3, "4"]}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, True, 4]}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, 3, None]}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, 3, 10**400]}, "bad_bbox"),
        (CUP | {"bbox": [1, float("nan"), 3, 4]}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, float("inf"), 4]}, "bad_bbox"),
        (CUP | {"bbox": [1, 2, 0, 4]}, "empty_bbox"),
        (CUP | {"bbox": [1, 2, 3, -4]}, "empty_bbox"),
        (CUP | {"bbox": [640, 2, 3, 4]}, "outside_image"),
        (CUP | {"bbox": [-9, 2, 9, 4]}, "outside_image"),
        (CUP | {"confidence": "0.7"}, "bad_confidence"),
        (CUP | {"confidence": True}, "bad_confidence"),
        (CUP | {"confidence": 1.01}, "bad_confidence"),
        (CUP | {"confidence": -0.1}, "bad_confidence"),
        (CUP | {"confidence": float("nan")}, "bad_confidence"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_counted(prediction: object, reason: str) -> None:
    found, dropped = parse_detections({"yolov8": [prediction, CUP, prediction]}, (640, 480))
    assert len(found) == 1
    assert dropped == {"yolov8": {reason: 2}}


@pytest.mark.parametrize("predictions", [None, 7, "cup", CUP])
def test_predictions_that_are_no_list_are_counted_once(predictions: object) -> None:
    found, dropped = parse_detections({"yolov8": predictions})
    assert len(found) == 0
    assert dropped == {"yolov8": {"not_a_list": 1}}


def test_a_box_without_a_confidence_gets_one_that_says_nothing() -> None:
    found, _ = parse_detections({"yolov8": [{"label": "cup", "bbox": BOX}]})
    assert found.confidence.tolist() == [DEFAULT_CONFIDENCE]


def test_only_so_many_boxes_of_a_service_are_looked_at_and_those_are_the_surest() -> None:
    many = [CUP | {"confidence": (n % 997) / 1000, "bbox": [n, 0, 5, 5]} for n in range(1000)]
    found, dropped = parse_detections({"rtdetr": [CUP], "yolov8": many})
    assert len(found) == MAX_DETECTIONS + 1
    assert sorted(found.confidence[found.service == 1].tolist())[0] == 0.697
    assert dropped == {"yolov8": {"too_many": 700}}


def test_labels_are_normalised_and_emojis_carried_along() -> None:
    found, _ = parse_detections({"yolov8": [CUP | {"label": "Cell_Phone", "emoji": "📱"}]})
    assert found.labels == ("cell phone",)
    assert found.emojis == ("📱",)


@steady
@given(st.dictionaries(any_text, any_json, max_size=3), st.sampled_from([None, (640, 480), (1, 1), (0, 0)]))
def test_no_answer_is_too_strange(answers: dict[str, Any], size: tuple[int, int] | None) -> None:
    parse_detections(answers, size)


prediction = st.fixed_dictionaries(
    {"label": st.just("cup") | any_json, "confidence": st.just(0.5) | any_json, "bbox": st.just(BOX) | any_json}
)
predictions = st.lists(prediction | any_object, max_size=5)


@steady
@given(st.dictionaries(any_text, predictions, max_size=3))
def test_every_prediction_is_either_read_or_counted(answers: dict[str, list[Any]]) -> None:
    found, dropped = parse_detections(answers)
    left_out = sum(count for reasons in dropped.values() for count in reasons.values())
    assert len(found) + left_out == sum(map(len, answers.values()))


@steady
@given(any_answers, st.randoms(use_true_random=False))
def test_detections_are_in_one_order_however_they_came_and_whoever_said_them(
    answers: dict[str, list[Any]], dice: random.Random
) -> None:
    before, _ = parse_detections(answers)
    shuffled, _ = parse_detections({name: dice.sample(answers[name], len(answers[name])) for name in reversed(answers)})
    exchanged, _ = parse_detections(dict(zip(answers, reversed(answers.values()), strict=True)))
    assert before.service.tolist() == shuffled.service.tolist()
    for after in (shuffled, exchanged):
        assert (before.labels, before.emojis) == (after.labels, after.emojis)
        assert before.corners.tolist() == after.corners.tolist()
        assert before.confidence.tolist() == after.confidence.tolist()
