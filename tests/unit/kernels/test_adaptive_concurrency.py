"""The limit on calls at a time, against a simulated service: k servers, noisy answers, a queue before them."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean

import pytest

from windmill.kernels.flow.adaptive_concurrency import AdaptiveConcurrencyLimit

Noise = Callable[[random.Random], float]


def even(dice: random.Random) -> float:
    """Within 30 % of 1."""
    return dice.uniform(0.7, 1.3)


def heavy(dice: random.Random) -> float:
    """Log-normal: one in a hundred takes more than three times as long as usual."""
    return dice.lognormvariate(0, 0.5)


class Fixed(AdaptiveConcurrencyLimit):
    """A limit that never moves, to compare with."""

    def answered(self, seconds: float, in_flight: int) -> None:
        pass


@dataclass
class World:
    """What a service is like after so many answers, and how many jobs wait for it."""

    servers: Callable[[int], int]
    noise: Noise = even
    seconds: Callable[[int], float] = lambda done: 1.0
    slower: Callable[[int], float] = lambda in_flight: 1.0
    jobs: int = 10**6

    def run(self, limit: AdaptiveConcurrencyLimit, answers: int, seed: int = 0) -> tuple[list[int], list[float]]:
        """The limit and the time after each answer."""
        dice, number = random.Random(seed), itertools.count()
        waiting: deque[tuple[float, int]] = deque()
        working: list[tuple[float, int, float, int]] = []
        limits: list[int] = []
        times: list[float] = []
        now = 0.0
        while len(times) < answers:
            for started in range(len(waiting) + len(working), min(limit.limit, self.jobs)):
                waiting.append((now, started + 1))
            while waiting and len(working) < self.servers(len(times)):
                began, beside = waiting.popleft()
                takes = self.seconds(len(times)) * self.noise(dice) * self.slower(beside)
                heapq.heappush(working, (now + takes, next(number), began, beside))
            now, _, began, beside = heapq.heappop(working)
            limit.answered(now - began, beside)
            limits.append(limit.limit)
            times.append(now)
        return limits, times


def share_within(limits: list[int], least: float, most: float) -> float:
    return sum(least <= limit <= most for limit in limits) / len(limits)


def first_reached(limits: list[int], least: int) -> int:
    return next(index for index, limit in enumerate(limits) if limit >= least)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [even, heavy])
@pytest.mark.parametrize("servers", [1, 2, 4, 8, 16, 32])
def test_it_settles_a_little_above_what_the_service_works_on_at_a_time(servers: int, noise: Noise, seed: int) -> None:
    limits, times = World(lambda _: servers, noise).run(AdaptiveConcurrencyLimit(), 3600, seed)
    assert first_reached(limits, servers) < 800
    assert share_within(limits[800:], servers, 1.5 * servers + 2) > 0.9  # the rest are probes, and now and then noise
    assert servers / 4 <= min(limits[800:])
    assert max(limits[800:]) <= 1.75 * servers + 2
    _, best = World(lambda _: servers, noise).run(Fixed(first=64), 3600, seed)
    assert (best[-1] - best[799]) / (times[-1] - times[799]) > 0.9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", [even, heavy])
@pytest.mark.parametrize(("before", "after"), [(16, 4), (4, 16)])
def test_it_follows_a_service_that_loses_or_gains_servers(before: int, after: int, noise: Noise, seed: int) -> None:
    limits, _ = World(lambda done: before if done < 2000 else after, noise).run(AdaptiveConcurrencyLimit(), 5000, seed)
    assert share_within(limits[1000:2000], before, 1.5 * before + 2) > 0.85
    assert share_within(limits[3000:], after, 1.5 * after + 2) > 0.85


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("factor", [3, 1 / 3])
@pytest.mark.parametrize("answers", [1, 3000], ids=["at once", "slowly"])
@pytest.mark.parametrize("servers", [4, 16])
def test_it_finds_back_when_answers_come_to_take_longer_or_shorter(
    servers: int, answers: int, factor: float, seed: int
) -> None:
    world = World(lambda _: servers, seconds=lambda done: factor ** min(max((done - 1000) / answers, 0), 1))
    limits, _ = world.run(AdaptiveConcurrencyLimit(), 7000, seed)
    assert mean(limits[1000:5000]) > 0.8 * servers
    assert max(limits) <= 3 * servers
    assert share_within(limits[5000:], servers, 1.5 * servers + 2) > 0.85


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("first", [1, 2, 8])
@pytest.mark.parametrize("noise", [even, heavy])
def test_a_service_that_slows_down_in_proportion_ends_at_one_or_two(noise: Noise, first: int, seed: int) -> None:
    world = World(lambda _: 10**6, noise, slower=lambda in_flight: in_flight)
    limits, _ = world.run(AdaptiveConcurrencyLimit(first=first), 3000, seed)
    assert share_within(limits[800:], 1, 2) > 0.97


@pytest.mark.parametrize("seed", range(4))
def test_a_batching_service_is_given_more_while_that_helps(seed: int) -> None:
    world = World(lambda _: 10**6, slower=lambda in_flight: 1 + 0.05 * (in_flight - 1))
    limits, _ = world.run(AdaptiveConcurrencyLimit(), 3000, seed)
    assert 6 <= mean(limits[1500:]) <= 25


@pytest.mark.parametrize(("together", "rounds"), [(4, 45), (8, 25)])
def test_calls_that_end_together_are_replaced_together_and_still_count(together: int, rounds: int) -> None:
    """As behind a service that works in batches."""
    limit = AdaptiveConcurrencyLimit(first=together)
    for _ in range(rounds):
        for in_flight in range(1, limit.limit + 1):
            limit.answered(1.0, in_flight)
    assert limit.limit > together


@pytest.mark.parametrize("seed", range(4))
def test_a_hundredth_of_answers_that_take_fifty_times_as_long_do_not_upset_it(seed: int) -> None:
    world = World(lambda _: 10**6, lambda dice: 50.0 if dice.random() < 0.01 else even(dice))
    limits, _ = world.run(AdaptiveConcurrencyLimit(maximum=20), 4000, seed)
    assert share_within(limits[1000:], 16, 20) > 0.9


def test_few_jobs_do_not_make_it_grow() -> None:
    limits, _ = World(lambda _: 16, jobs=3).run(AdaptiveConcurrencyLimit(), 3000)
    assert max(limits) == 4


def test_calls_that_never_use_the_limit_up_do_not_move_it_beyond_the_jobs() -> None:
    limit = AdaptiveConcurrencyLimit(first=10)
    for _ in range(3000):
        limit.answered(1.0, min(8, limit.limit))
    assert limit.limit <= 10


def test_it_never_leaves_its_bounds() -> None:
    limits, _ = World(lambda _: 10**6).run(AdaptiveConcurrencyLimit(maximum=20), 2000)
    assert min(limits) >= 1
    assert max(limits) == 20
    assert AdaptiveConcurrencyLimit(first=9, maximum=5).limit == 5
    assert AdaptiveConcurrencyLimit(first=0, maximum=0).limit == 1


def test_a_refusal_halves_at_once_and_no_growth_follows_for_a_while() -> None:
    limit = AdaptiveConcurrencyLimit()
    World(lambda _: 16).run(limit, 1500)
    usual = limit.limit
    limit.overloaded()
    assert limit.limit == usual // 2
    after, _ = World(lambda _: 16).run(limit, 2000)
    assert max(after[:300]) <= usual // 2
    assert max(after) >= 16


def test_a_burst_of_refusals_halves_once() -> None:
    limit = AdaptiveConcurrencyLimit(first=16)
    for _ in range(16):
        limit.overloaded()
    assert limit.limit == 8
    limit.overloaded()
    assert limit.limit == 4


def test_refusals_without_end_leave_one_call() -> None:
    limit = AdaptiveConcurrencyLimit(first=16)
    for _ in range(100):
        limit.overloaded()
    assert limit.limit == 1


def test_a_refusal_during_a_probe_halves_the_usual_limit() -> None:
    limit = AdaptiveConcurrencyLimit(first=16)
    for _ in range(20):
        limit.answered(1.0, 16)
    assert limit.limit == 7
    limit.overloaded()
    assert limit.limit == 8
    for _ in range(100):
        limit.answered(1.0, 8)
    assert limit.limit <= 8


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-300, 1e300])
def test_strange_latencies_break_nothing(seconds: float) -> None:
    limit = AdaptiveConcurrencyLimit()
    for index in range(500):
        limit.answered(seconds if index % 3 else 1.0, limit.limit)
    assert 1 <= limit.limit <= 64
