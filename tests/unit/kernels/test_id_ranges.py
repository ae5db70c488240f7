"""A set of image ids in ranges is the set of those ids."""

from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.flow.id_ranges import IdRanges


@given(st.lists(st.integers(1, 60)))
def test_it_holds_exactly_what_was_added(numbers: list[int]) -> None:
    ranges = IdRanges()
    for number in numbers:
        ranges.add(number)
    assert [number for number in range(70) if number in ranges] == sorted(set(numbers))
    assert len(ranges) == len(set(numbers))


@given(st.lists(st.integers(1, 60)), st.lists(st.integers(1, 60)))
def test_more_can_be_added_after_it_was_asked(first: list[int], second: list[int]) -> None:
    ranges = IdRanges()
    for numbers in (first, second):
        for number in numbers:
            ranges.add(number)
        assert 0 not in ranges
    assert len(ranges) == len({*first, *second})


def test_a_row_of_ids_is_one_range() -> None:
    ranges = IdRanges()
    for number in range(1, 100_001):
        ranges.add(number)
    assert len(ranges._firsts) == 1
    assert (1 in ranges, 100_000 in ranges, 100_001 in ranges) == (True, True, False)
