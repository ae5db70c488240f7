"""Tags of tasks: principals share a queue by weight, newcomers pass a backlog, and priority wins for a while."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.flow.fair_queueing import MIN_COST, FairTags, fair_tags

HEAD_START = 600.0


def tags(
    virtual_time: float = 0, last_tag: float | None = None, *, cost: float = 1, weight: float = 1, priority: int = 0
) -> FairTags:
    return fair_tags(virtual_time, last_tag, cost=cost, weight=weight, priority=priority, head_start=HEAD_START)


def test_tasks_of_one_principal_follow_one_another() -> None:
    found = tags(10, 20, cost=2)
    assert [found.tag(number) for number in range(3)] == [22, 24, 26]


@pytest.mark.parametrize("last", [None, 3.0])
def test_a_principal_that_waits_for_less_than_the_queue_has_done_starts_as_a_newcomer(last: float | None) -> None:
    assert tags(10, last).first == 11


def test_twice_the_weight_is_twice_the_share() -> None:
    light, heavy = tags(weight=1), tags(weight=2)
    assert [heavy.tag(number) for number in (1, 3)] == [light.tag(number) for number in (0, 1)]


def test_tasks_that_cost_nothing_still_follow_one_another() -> None:
    assert tags(cost=0).spacing == MIN_COST


def test_a_class_of_priority_is_one_head_start() -> None:
    assert tags(priority=2).place(0) == tags().place(0) - 2 * HEAD_START


@given(backlog=st.integers(1, 500), done=st.integers(0, 100), workers=st.integers(1, 16), small=st.integers(1, 50))
def test_the_kth_task_of_a_newcomer_starts_after_at_most_2k_and_the_workers_others(
    backlog: int, done: int, workers: int, small: int
) -> None:
    big = tags()
    queue = [(big.place(number), "big") for number in range(backlog + done)]
    claimed = [heapq.heappop(queue) for _ in range(min(done, len(queue)))]
    newcomer = tags(claimed[-1][0] if claimed else 0)
    for number in range(small):
        heapq.heappush(queue, (newcomer.place(number), "small"))
    order = [heapq.heappop(queue)[1] for _ in range(len(queue))]
    starts = [place for place, owner in enumerate(order) if owner == "small"]
    assert all(start - number <= 2 * (number + 1) + workers for number, start in enumerate(starts))


def test_the_lowest_priority_starts_within_its_head_start_under_endless_high_ones() -> None:
    low, clock, waited = tags(priority=-9).place(0), 0.0, 0
    while tags(clock, clock, priority=9).place(0) < low:
        clock, waited = tags(clock, clock, priority=9).tag(0), waited + 1
    assert waited <= 18 * HEAD_START + 1
