"""What happens often is said a few times a minute, and nothing is left uncounted."""

import pytest

from tests.unit.world import Clock
from windmill.repeats import SECONDS, TIMES, Repeats


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repeats(clock: Clock) -> Repeats:
    return Repeats(clock=clock)


def test_the_first_few_are_said_and_the_rest_of_the_minute_is_not(repeats: Repeats) -> None:
    assert [repeats.unsaid("a") for _ in range(TIMES + 3)] == [0] * TIMES + [None] * 3


def test_after_the_minute_it_is_told_how_many_were_kept_back(repeats: Repeats, clock: Clock) -> None:
    for _ in range(TIMES + 7):
        repeats.unsaid("a")
    clock.now += SECONDS
    assert repeats.unsaid("a") == 7
    assert [repeats.unsaid("a") for _ in range(TIMES)] == [0] * (TIMES - 1) + [None]


def test_where_nothing_was_kept_back_nothing_is_told_of(repeats: Repeats, clock: Clock) -> None:
    for _ in range(TIMES):
        repeats.unsaid("a")
    clock.now += SECONDS
    assert repeats.unsaid("a") == 0


def test_the_minute_counts_from_the_first_one(repeats: Repeats, clock: Clock) -> None:
    for _ in range(TIMES):
        repeats.unsaid("a")
    clock.now += SECONDS - 0.1
    assert repeats.unsaid("a") is None
    clock.now += 0.1
    assert repeats.unsaid("a") == 1


def test_each_kind_is_counted_by_itself(repeats: Repeats) -> None:
    for _ in range(TIMES + 1):
        repeats.unsaid("a")
    assert repeats.unsaid("b") == 0


@pytest.mark.parametrize("seconds", [0.01, 1, 7, 59, 61])
def test_all_that_is_said_and_told_of_adds_up(repeats: Repeats, clock: Clock, seconds: float) -> None:
    said = told = 0
    for _ in range(1000):
        unsaid = repeats.unsaid("a")
        said += unsaid is not None
        told += unsaid or 0
        clock.now += seconds
    clock.now += SECONDS
    assert said + told + (repeats.unsaid("a") or 0) == 1000
