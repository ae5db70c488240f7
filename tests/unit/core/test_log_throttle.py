"""Of lines that come often a few a minute are written, and none is left uncounted."""

import pytest

from tests.unit.world import Clock
from windmill.core.log_throttle import SECONDS, TIMES, Admitted, Throttle


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock=clock)


def test_the_first_few_are_admitted_and_the_rest_of_the_minute_is_held_back(throttle: Throttle) -> None:
    assert [throttle.admit("a") for _ in range(TIMES + 3)] == [Admitted()] * TIMES + [None] * 3


def test_what_is_admitted_is_true_even_if_nothing_was_held_back_before_it(throttle: Throttle) -> None:
    assert throttle.admit("a")
    assert Admitted(suppressed=0)


def test_after_the_minute_it_is_told_how_many_were_held_back(throttle: Throttle, clock: Clock) -> None:
    for _ in range(TIMES + 7):
        throttle.admit("a")
    clock.now += SECONDS
    assert throttle.admit("a") == Admitted(suppressed=7)
    assert [throttle.admit("a") for _ in range(TIMES)] == [Admitted()] * (TIMES - 1) + [None]


def test_where_nothing_was_held_back_nothing_is_told_of(throttle: Throttle, clock: Clock) -> None:
    for _ in range(TIMES):
        throttle.admit("a")
    clock.now += SECONDS
    assert throttle.admit("a") == Admitted(suppressed=0)


def test_a_line_tells_of_those_before_it_under_one_key_and_only_if_there_were_any() -> None:
    assert Admitted(7).extra() == {"suppressed": 7}
    assert Admitted(0).extra() == {}


def test_the_minute_counts_from_the_first_one(throttle: Throttle, clock: Clock) -> None:
    for _ in range(TIMES):
        throttle.admit("a")
    clock.now += SECONDS - 0.1
    assert throttle.admit("a") is None
    clock.now += 0.1
    assert throttle.admit("a") == Admitted(suppressed=1)


def test_each_kind_is_counted_by_itself(throttle: Throttle) -> None:
    for _ in range(TIMES + 1):
        throttle.admit("a")
    assert throttle.admit("b") == Admitted()


@pytest.mark.parametrize("seconds", [0.01, 1, 7, 59, 61])
def test_all_that_is_admitted_and_told_of_adds_up(throttle: Throttle, clock: Clock, seconds: float) -> None:
    admitted = []
    for _ in range(1000):
        admitted.append(throttle.admit("a"))
        clock.now += seconds
    clock.now += SECONDS
    admitted.append(throttle.admit("a"))
    assert sum(1 + one.suppressed for one in admitted if one) == 1001
