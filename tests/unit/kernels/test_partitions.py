"""Which ranges of image ids come next."""

import pytest

from windmill.kernels.flow.partitions import IdRange, first_bound, partitions_ahead

M = 1_000_000


@pytest.mark.parametrize(
    ("greatest", "bound"),
    [(0, M), (1, M), (499_999, M), (500_000, 2 * M), (M, 2 * M), (1_499_999, 2 * M), (10 * M, 11 * M)],
)
def test_the_first_partition_holds_what_is_there_and_has_room_for_half_another(greatest: int, bound: int) -> None:
    assert first_bound(greatest, M) == bound
    assert bound - greatest > M // 2 - 1


def test_so_many_partitions_are_ready_beyond_the_greatest_id() -> None:
    made = partitions_ahead(M, 0, M, 3)
    assert made == [IdRange(M, 2 * M), IdRange(2 * M, 3 * M), IdRange(3 * M, 4 * M)]


def test_what_was_made_needs_not_be_made_again() -> None:
    end = partitions_ahead(M, 999_999, M, 3)[-1].high
    assert partitions_ahead(end, 999_999, M, 3) == []
    assert partitions_ahead(end, M, M, 3) == [IdRange(end, end + M)]


def test_another_size_goes_on_where_the_last_partition_ends() -> None:
    assert partitions_ahead(2 * M, M, 5 * M, 1) == [IdRange(2 * M, 7 * M)]


def test_ranges_follow_each_other_without_a_gap() -> None:
    made = partitions_ahead(M, 20 * M + 7, M, 4)
    assert [one.low for one in made] == [M, *(one.high for one in made[:-1])]
    assert made[-1].high > 20 * M + 7 + 4 * M
