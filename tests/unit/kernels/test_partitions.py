"""Which ranges of image ids come next."""

import pytest

from windmill.kernels.flow.partitions import Range, ahead, first_bound

M = 1_000_000


@pytest.mark.parametrize(
    ("greatest", "bound"),
    [(0, M), (1, M), (499_999, M), (500_000, 2 * M), (M, 2 * M), (1_499_999, 2 * M), (10 * M, 11 * M)],
)
def test_the_first_partition_holds_what_is_there_and_has_room_for_half_another(greatest: int, bound: int) -> None:
    assert first_bound(greatest, M) == bound
    assert bound - greatest > M // 2 - 1


def test_so_many_partitions_are_ready_beyond_the_greatest_id() -> None:
    made = ahead(M, 0, M, 3)
    assert made == [Range(M, 2 * M), Range(2 * M, 3 * M), Range(3 * M, 4 * M)]


def test_what_was_made_needs_not_be_made_again() -> None:
    end = ahead(M, 999_999, M, 3)[-1].high
    assert ahead(end, 999_999, M, 3) == []
    assert ahead(end, M, M, 3) == [Range(end, end + M)]


def test_another_size_goes_on_where_the_last_partition_ends() -> None:
    assert ahead(2 * M, M, 5 * M, 1) == [Range(2 * M, 7 * M)]


def test_ranges_follow_each_other_without_a_gap() -> None:
    made = ahead(M, 20 * M + 7, M, 4)
    assert [one.low for one in made] == [M, *(one.high for one in made[:-1])]
    assert made[-1].high > 20 * M + 7 + 4 * M
