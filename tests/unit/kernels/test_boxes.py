"""Boxes as arrays: overlaps, rounding to pixels, suppression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.hostile_replies import steady
from windmill.kernels.boxes.geometry import corners, intersections, ious, suppressed, to_whole_pixels

sides = st.integers(1, 60)
places = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50), sides, sides), max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "shared", "overlap"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 100, 1),
        ((0, 0, 10, 10), (5, 0, 10, 10), 50, 1 / 3),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0, 0),
        ((0, 0, 10, 10), (30, 30, 5, 5), 0, 0),
        ((0, 0, 10, 10), (2, 2, 5, 4), 20, 0.2),
        ((-5, -5, 10, 10), (0, 0, 5, 5), 25, 0.25),
        ((3, 3, 0, 0), (3, 3, 0, 0), 0, 0),
    ],
)
def test_overlap_is_what_two_boxes_share_of_what_they_cover(
    one: tuple[int, ...], other: tuple[int, ...], shared: float, overlap: float
) -> None:
    assert intersections(corners(one), corners(other)).item() == shared
    assert ious(corners(one), corners(other)).item() == pytest.approx(overlap)


@steady
@given(places, places)
def test_overlaps_lie_between_nothing_and_all_and_are_the_same_both_ways(some: object, others: object) -> None:
    found = ious(corners(some), corners(others))
    assert ((found >= 0) & (found <= 1)).all()
    assert np.array_equal(found, ious(corners(others), corners(some)).T)


@steady
@given(places)
def test_whole_boxes_stay_as_they_are(boxes: list[tuple[int, ...]]) -> None:
    assert to_whole_pixels(corners(boxes)).tolist() == [list(box) for box in boxes]


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((0.4, 0.6, 9.2, 9.2), [0, 1, 10, 9]),
        ((0.5, -0.5, 1, 1), [1, 0, 1, 1]),
        ((5, 5, 0.1, 0.1), [5, 5, 1, 1]),
        ((-10, -10, 50, 50), [0, 0, 20, 15]),
        ((19.8, 14.9, 5, 5), [19, 14, 1, 1]),
    ],
)
def test_edges_are_rounded_and_cut_off_where_the_image_ends(box: tuple[float, ...], pixels: list[int]) -> None:
    assert to_whole_pixels(corners(box), (20, 15)).tolist() == [pixels]


@steady
@given(arrays(np.bool_, st.integers(0, 9).map(lambda n: (n, n))))
def test_suppression_at_once_is_suppression_one_after_the_other(overlapping: np.ndarray) -> None:
    gone: list[bool] = []
    for place in range(len(overlapping)):
        gone.append(any(overlapping[better, place] and not gone[better] for better in range(place)))
    assert suppressed(overlapping).tolist() == gone
