"""How many tries a job gets, where many fail and where few do."""

import heapq
import random

import pytest

from windmill.kernels.flow.retry_limit import HEALTHY_RATE, MAX_TRIES, FailureRate, allowed_tries

LEAST = 4


def rate_after(*failed: bool) -> float:
    rates = FailureRate()
    for one in failed:
        rates.note(failed=one)
    return rates.rate


@pytest.mark.parametrize(
    ("rate", "least", "expected"),
    [
        (0.0, 4, 4),
        (HEALTHY_RATE, 4, 4),
        (0.051, 4, 7),
        (0.09, 4, 8),
        (0.09, 1, 8),
        (0.09, 12, 12),
        (0.2, 4, 12),
        (0.3, 4, 16),
        (0.5, 4, 27),
        (0.7, 4, MAX_TRIES),
        (0.999, 4, MAX_TRIES),
        (1.0, 4, MAX_TRIES),
        (0.0, 1, 1),
    ],
)
def test_the_tries_of_a_job_follow_the_share_of_tries_that_fail(rate: float, least: int, expected: int) -> None:
    assert allowed_tries(rate, least) == expected


def test_more_failures_never_mean_fewer_tries() -> None:
    numbers = [allowed_tries(percent / 100, LEAST) for percent in range(101)]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], 4),
        ([True], 4),
        ([True] * 5, 4),
        ([True] * 6, 7),
        ([True] * 500, MAX_TRIES),
        ([False] * 100 + [True] * 10, 4),
        ([True, False, False] * 500, 15),
        (([True] * 3 + [False] * 7) * 200, 14),
        (([True] + [False] * 9) * 200, 8),
        (([True] + [False] * 29) * 200, 4),
        ([True] * 1000 + [False] * 1500, 4),
    ],
    ids=lambda value: None if isinstance(value, list) else str(value),
)
def test_the_tries_after_a_history_of_first_tries(history: list[bool], expected: int) -> None:
    assert allowed_tries(rate_after(*history), LEAST) == expected


def test_the_rate_is_a_share_and_forgets_what_is_long_past() -> None:
    assert rate_after() == 0
    assert 0.8 < rate_after(*[True] * 3000) < 1
    assert rate_after(*[True] * 3000, *[False] * 3000) < 0.01


def jobs_lost(garbage: float, jobs: int, *, between: float, seed: int, dark_from: int = 0) -> int:
    """How many good jobs are given up by a service of which that share of answers is garbage, taking one job after
    the other every `between` seconds, where a retry returns after 5, 10 and then 20 seconds."""
    dice, rates = random.Random(seed), FailureRate()
    waiting: list[tuple[float, int, int]] = [(number * between, number, 1) for number in range(jobs)]
    heapq.heapify(waiting)
    lost, now = 0, 0.0
    while waiting:
        due, number, attempt = heapq.heappop(waiting)
        now = max(now + between, due)
        failed = number >= dark_from and dice.random() < garbage
        if attempt == 1:
            rates.note(failed=failed)
        if not failed:
            continue
        if attempt >= allowed_tries(rates.rate, LEAST):
            lost += 1
        else:
            delay = (5.0, 10.0, 20.0)[min(attempt, 3) - 1] * dice.choice((0.8, 1, 1.2))
            heapq.heappush(waiting, (now + delay, number, attempt + 1))
    return lost


@pytest.mark.parametrize("garbage", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("dark_from", [0, 2000], ids=["from the start", "of a sudden"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_good_job_is_given_up_for_random_garbage(garbage: float, dark_from: int, seed: int) -> None:
    assert jobs_lost(garbage, 20_000, between=0.1, seed=seed, dark_from=dark_from) == 0


def test_a_job_that_no_try_helps_is_given_up_after_the_usual_tries_at_a_service_that_is_well() -> None:
    rates, taken = FailureRate(), 0
    for _ in range(200):
        rates.note(failed=False)
    rates.note(failed=True)
    for attempt in range(1, 100):
        taken = attempt
        if attempt >= allowed_tries(rates.rate, LEAST):
            break
    assert taken == LEAST
