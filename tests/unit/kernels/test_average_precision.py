"""Judging boxes with scores by true ones."""

import numpy as np
import pytest

from windmill.kernels.boxes.average_precision import (
    JudgedBoxes,
    LabelledBoxes,
    average_precisions,
    best_f1,
    calibration_error,
    found_at,
    hits,
    judge_boxes,
)
from windmill.kernels.boxes.geometry import corners

CUP = (0, 0, 100, 100)


def boxes(*placed: tuple[str, tuple[int, int, int, int], float]) -> LabelledBoxes:
    return LabelledBoxes(
        corners([place for _, place, _ in placed]), [label for label, _, _ in placed], np.array([s for *_, s in placed])
    )


def judge(scores: list[float], right: list[bool], truths: int) -> JudgedBoxes:
    rows = np.repeat(np.array(right, dtype=np.bool_)[:, None], 10, axis=1)
    return JudgedBoxes(["cup"] * len(scores), np.array(scores), rows, {"cup": truths})


@pytest.mark.parametrize(
    ("width", "thresholds"), [(100, 10), (96, 10), (94, 9), (75, 6), (74, 5), (50, 1), (49, 0), (0, 0)]
)
def test_a_box_is_right_at_the_thresholds_that_its_overlap_reaches(width: int, thresholds: int) -> None:
    found = hits(boxes(("cup", (0, 0, width, 100), 0.9)), boxes(("cup", CUP, 0)))
    assert found.sum() == thresholds


def test_a_true_box_is_found_once_and_by_the_surest() -> None:
    found = hits(boxes(("cup", CUP, 0.5), ("cup", (0, 0, 90, 100), 0.6)), boxes(("cup", CUP, 0)))
    assert found[:, 0].tolist() == [False, True]
    assert found[:, 9].tolist() == [True, False]


def test_a_box_of_another_label_is_wrong() -> None:
    assert not hits(boxes(("bowl", CUP, 0.9)), boxes(("cup", CUP, 0))).any()


@pytest.mark.parametrize(
    ("right", "truths", "precision"),
    [
        ([True, True], 2, 1.0),
        ([True, True, False], 2, 1.0),
        ([False, False], 2, 0.0),
        ([], 2, 0.0),
        ([True], 2, 51 / 101),
        ([False, True], 1, 0.5),
        ([True, False, True], 2, (51 + 50 * 2 / 3) / 101),
    ],
)
def test_average_precision_is_the_mean_over_101_levels_of_recall(
    right: list[bool], truths: int, precision: float
) -> None:
    scores = [0.9 - 0.1 * place for place in range(len(right))]
    assert average_precisions(judge(scores, right, truths)) == pytest.approx([precision] * 10)


def test_labels_count_alike_however_many_there_are_of_each() -> None:
    images = [
        (boxes(("cup", CUP, 0.9)), boxes(("cup", CUP, 0), ("bowl", CUP, 0))),
        (boxes(("cup", CUP, 0.8)), boxes(("cup", CUP, 0))),
    ]
    assert average_precisions(judge_boxes(images)).tolist() == [0.5] * 10


def test_precision_recall_and_f1_are_those_of_boxes_that_are_sure_enough() -> None:
    result = judge([0.9, 0.5, 0.4], [True, False, True], 4)
    assert found_at(result, 0.5) == pytest.approx((1 / 2, 1 / 4, 1 / 3))
    assert best_f1(result) == pytest.approx(4 / 7)


def test_scores_that_are_the_share_that_is_right_are_calibrated() -> None:
    assert calibration_error(judge([0.75] * 4, [True, True, True, False], 9)) == pytest.approx(0)
    assert calibration_error(judge([0.95, 0.15], [False, False], 9)) == pytest.approx(0.55)
    assert calibration_error(judge([1.0, 0.0], [True, False], 9)) == 0


def test_nothing_found_where_nothing_is_is_no_error() -> None:
    result = judge_boxes([])
    assert average_precisions(result).tolist() == [0] * 10
    assert found_at(result, 0.5) == (0, 0, 0)
    assert best_f1(result) == calibration_error(result) == 0
    assert judge_boxes([(boxes(), boxes())]).hits.shape == (0, 10)
