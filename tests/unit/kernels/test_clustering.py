"""Which detections come together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.hostile_replies import steady
from windmill.kernels.boxes.clustering import cluster


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """How close each is to each, no two pairs alike, and of which service each is."""
    count = draw(st.integers(0, 8))
    ranks = np.array(draw(st.permutations(range(count * count))), dtype=np.float64).reshape(count, count)
    close = np.triu(ranks, 1) / max(count * count, 1)
    service = draw(arrays(np.int64, count, elements=st.integers(0, 2)))
    return close + close.T, service[:, None] == service[None, :]


def sets(numbers: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(numbers == one).tolist()) for one in numbers.tolist()}


@steady
@given(pairs(), st.randoms(use_true_random=False))
def test_order_does_not_matter(given_pairs: tuple[np.ndarray, np.ndarray], dice: object) -> None:
    close, apart = given_pairs
    order = list(range(len(close)))
    dice.shuffle(order)  # type: ignore[attr-defined]
    moved = cluster(close[np.ix_(order, order)], apart[np.ix_(order, order)], 0.3)
    assert {frozenset(order[one] for one in cluster) for cluster in sets(moved)} == sets(cluster(close, apart, 0.3))


@steady
@given(pairs())
def test_what_is_apart_never_comes_together(given_pairs: tuple[np.ndarray, np.ndarray]) -> None:
    close, apart = given_pairs
    found = cluster(close, apart, 0.0)
    assert not (apart & (found[:, None] == found[None, :]) & ~np.eye(len(found), dtype=bool)).any()


@steady
@given(pairs())
def test_clusters_are_numbered_without_gaps_in_the_order_of_their_first_members(
    given_pairs: tuple[np.ndarray, np.ndarray],
) -> None:
    found = cluster(*given_pairs, 0.5).tolist()
    assert list(dict.fromkeys(found)) == list(range(len(set(found))))


def test_the_closest_pair_comes_first_and_a_third_joins_by_the_mean() -> None:
    close = np.array([[0, 0.9, 0.6], [0.9, 0, 0.5], [0.6, 0.5, 0]])
    free = np.eye(3, dtype=bool)
    assert cluster(close, free, 0.55).tolist() == [0, 0, 0]
    assert cluster(close, free, 0.56).tolist() == [0, 0, 1]


def test_a_service_takes_the_closer_of_two() -> None:
    close = np.array([[0, 0.6, 0.7], [0.6, 0, 0.8], [0.7, 0.8, 0]])
    apart = np.array([[True, True, False], [True, True, False], [False, False, True]])
    assert cluster(close, apart, 0.5).tolist() == [0, 1, 1]
