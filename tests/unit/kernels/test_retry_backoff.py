"""How long to wait before the next try."""

import pytest

from windmill.kernels.flow.retry_backoff import backoff_delay, retry_delay


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 10), (7, 10), (1000, 10), (10**9, 10), (0, 0.5), (-3, 0.5)],
)
def test_the_delay_doubles_from_the_first_to_the_most(failures: int, seconds: float) -> None:
    assert backoff_delay(failures, first=0.5, maximum=10, jitter=0.2, dice=0.5) == pytest.approx(seconds)


@pytest.mark.parametrize(("dice", "seconds"), [(0.0, 8), (0.25, 9), (0.5, 10), (0.75, 11), (1.0, 12)])
def test_the_dice_move_the_delay_by_its_spread_either_way(dice: float, seconds: float) -> None:
    assert backoff_delay(9, first=0.5, maximum=10, jitter=0.2, dice=dice) == pytest.approx(seconds)


def test_without_spread_the_dice_do_not_count() -> None:
    assert backoff_delay(3, first=1, maximum=60, jitter=0, dice=0.9) == 4


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 20), (1000, 20)])
def test_each_try_has_its_delay_and_the_last_one_is_for_all_that_follow(attempt: int, seconds: float) -> None:
    assert retry_delay(attempt, (5, 10, 20)) == seconds
