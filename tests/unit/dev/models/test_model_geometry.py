"""Between the picture and the square of a network."""

import numpy as np
import pytest

from dev.models.geometry import anchor_centres, best_of_overlapping, letterboxed


@pytest.mark.parametrize(("width", "height"), [(400, 100), (90, 300), (64, 64), (1, 1000)])
def test_a_point_of_the_picture_comes_back_from_the_square_to_where_it_was(width: int, height: int) -> None:
    square, letterbox = letterboxed(np.full((height, width, 3), 200, np.uint8), 128)
    assert square.shape == (128, 128, 3)
    corner = np.array([letterbox.left + width * letterbox.scale, letterbox.top + height * letterbox.scale])
    assert letterbox.back(corner) == pytest.approx([width, height])


def test_a_letterboxed_picture_keeps_its_proportions_and_is_black_around() -> None:
    square, letterbox = letterboxed(np.full((100, 400, 3), 200, np.uint8), 128)
    assert (letterbox.left, letterbox.top) == (0, 48)
    assert square[48:80].min() == 200
    assert square[:48].max() == square[80:].max() == 0


def test_of_boxes_of_one_label_that_overlap_the_surest_is_kept_and_other_labels_stay() -> None:
    edges = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [0, 0, 10, 10], [50, 50, 60, 60]])
    kept = best_of_overlapping(edges, np.array([0.5, 0.9, 0.4, 0.6]), np.array([0, 0, 1, 0]), 0.5)
    assert kept == [1, 3, 2]
    assert best_of_overlapping(edges[:0], np.array([]), np.array([]), 0.5) == []


def test_anchors_stand_in_the_middle_of_their_cells_row_by_row() -> None:
    centres = anchor_centres(64, ((32, 2), (64, 1)))
    assert centres.tolist() == [
        *[[0.25, 0.25]] * 2, *[[0.75, 0.25]] * 2, *[[0.25, 0.75]] * 2, *[[0.75, 0.75]] * 2, [0.5, 0.5]
    ]  # fmt: skip
