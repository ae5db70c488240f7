"""Stretches of time."""

from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.audio.spans import Span, common, grouped, merged, padded, total, without

TIMES = st.integers(0, 1_000).map(lambda one: one / 8)
SPANS = st.lists(st.tuples(TIMES, TIMES).filter(lambda one: one[0] < one[1]), max_size=12)


def test_neighbours_become_one() -> None:
    assert merged([(5, 6), (0, 1), (1.2, 2)], gap=0.3) == [(0, 2), (5, 6)]
    assert padded([(0.1, 1), (1.3, 2)], 0.2, 2.1) == [(0, 2.1)]


def test_a_long_stretch_is_cut_evenly_and_short_ones_are_put_together() -> None:
    assert grouped([(0, 60)], 28, 1) == [(0, 20), (20, 40), (40, 60)]
    assert grouped([(0, 10), (10.5, 20), (20.5, 30), (50, 51)], 28, 1) == [(0, 20), (20.5, 30), (50, 51)]


@given(SPANS, SPANS)
def test_what_is_left_of_a_span_and_what_was_taken_make_the_whole(spans: list[Span], others: list[Span]) -> None:
    for span in spans:
        left = without(span, others)
        taken = sum(common(span, other) for other in merged(others))
        assert abs(total(left) + taken - total([span])) < 1e-9
        assert all(common(part, other) == 0 for part in left for other in others)


@given(SPANS, st.integers(1, 30))
def test_groups_cover_all_and_none_is_too_long(spans: list[Span], most: int) -> None:
    whole = merged(spans)
    groups = grouped(whole, most, 0.5)
    assert all(end - start <= most + 1e-9 for start, end in groups)
    assert all(abs(sum(common(span, group) for group in groups) - (span[1] - span[0])) < 1e-6 for span in whole)
