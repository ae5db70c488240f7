"""The states of a breaker, and how long it stays open."""

import itertools
import logging

import pytest

from tests.unit.world import Clock
from windmill.calling.circuit_breaker import MAX_RETRY_AFTER_SECONDS, MAX_SECONDS, CircuitBreaker
from windmill.core.errors import WindmillError

AWAY = WindmillError("SERVICE_UNREACHABLE", "refused")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("clip", clock=clock)


def busy(seconds: float | None) -> WindmillError:
    return WindmillError("SERVICE_OVERLOADED", "503", retry_after=seconds)


def put(breaker: CircuitBreaker, state: str) -> None:
    if state != "closed":
        breaker.trip(AWAY)
    if state == "half-open":
        breaker.half_open()


def in_steps(value: float, middle: float) -> bool:
    """Whether it is the middle of a delay, give or take the fifth by which it is spread."""
    return 0.8 * middle <= value <= 1.2 * middle


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        ("closed", "trip", "open"),
        ("closed", "answered", "closed"),
        ("open", "trip", "open"),
        ("open", "prolong", "open"),
        ("open", "answered", "open"),
        ("open", "half_open", "half-open"),
        ("half-open", "trip", "open"),
        ("half-open", "answered", "closed"),
    ],
)
def test_each_event_leads_from_state_to_state(breaker: CircuitBreaker, before: str, event: str, after: str) -> None:
    put(breaker, before)
    assert breaker.state == before
    method = getattr(breaker, event)
    method(AWAY) if event in ("trip", "prolong") else method()
    assert breaker.state == after


def test_a_closed_breaker_has_nothing_to_wait_for(breaker: CircuitBreaker) -> None:
    assert breaker.seconds_left() == 0


def test_what_was_under_way_when_it_opened_makes_nothing_longer(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.trip(AWAY)
    clock.now += 0.5
    left = breaker.seconds_left()
    for _ in range(20):
        breaker.trip(busy(500))
    assert breaker.seconds_left() == left
    clock.now += 1
    assert breaker.seconds_left() == 0


def test_each_vain_question_makes_the_wait_twice_as_long_up_to_the_most(breaker: CircuitBreaker) -> None:
    breaker.trip(AWAY)
    waits = [breaker.seconds_left()]
    for _ in range(7):
        breaker.prolong(AWAY)
        waits.append(breaker.seconds_left())
    expected = [1, 2, 4, 8, 16, MAX_SECONDS, MAX_SECONDS, MAX_SECONDS]
    assert all(map(in_steps, waits, expected)), waits


def test_a_service_that_cannot_be_reached_is_checked_often_at_first(breaker: CircuitBreaker, clock: Clock) -> None:
    """The first second brings four checks, and an outage of an hour no more than any other."""
    refused = WindmillError("SERVICE_UNREACHABLE", "refused", reached=False)
    began = clock.now
    breaker.trip(refused)
    ages = []
    while clock.now < began + 3600:
        clock.now += breaker.seconds_left()
        ages.append(clock.now - began)
        breaker.prolong(refused)
    assert len([age for age in ages if age <= 1]) == 4
    assert len([age for age in ages if age <= 10]) <= 16
    assert max(after - before for before, after in itertools.pairwise(ages)) <= 1.2 * MAX_SECONDS
    assert len(ages) < 200


def test_checks_whether_a_service_can_be_reached_make_no_other_wait_longer(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    refused = WindmillError("SERVICE_UNREACHABLE", "refused", reached=False)
    breaker.trip(refused)
    for _ in range(3):
        clock.now += breaker.seconds_left()
        breaker.prolong(refused)
    breaker.prolong(busy(None))
    assert in_steps(breaker.seconds_left(), 2), "the second wait, not the fifth"


def test_an_outage_that_returns_before_a_job_was_answered_is_the_same_one(breaker: CircuitBreaker) -> None:
    for expected in (1, 2, 4, 8):
        breaker.trip(AWAY)
        assert in_steps(breaker.seconds_left(), expected)
        breaker.half_open()


def test_a_job_that_is_answered_ends_the_outage_and_the_next_one_begins_small(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        breaker.trip(AWAY)
        breaker.half_open()
    breaker.answered()
    breaker.trip(AWAY)
    assert in_steps(breaker.seconds_left(), 1)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(None, 1.0), (0.0, 1.0), (90.0, 90.0), (MAX_RETRY_AFTER_SECONDS, 600.0), (3600.0, MAX_RETRY_AFTER_SECONDS)],
)
def test_the_wait_is_as_long_as_the_service_asks_within_reason(
    breaker: CircuitBreaker, asked: float | None, waits: float
) -> None:
    breaker.trip(busy(asked))
    assert in_steps(breaker.seconds_left(), waits)
    breaker.half_open()
    breaker.answered()
    breaker.trip(AWAY)
    breaker.prolong(busy(asked))
    assert in_steps(breaker.seconds_left(), max(waits, 2)), "also when it answers so to the question"


def test_the_log_tells_of_one_outage_however_many_jobs_met_it(
    breaker: CircuitBreaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        breaker.trip(AWAY)
        breaker.trip(AWAY)
        breaker.prolong(AWAY)
        breaker.half_open()
        clock.now += 5
    breaker.answered()
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "service clip is unavailable",
        "service clip is available again",
    ]
    assert vars(caplog.records[-1])["away_seconds"] == 15
