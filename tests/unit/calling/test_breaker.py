"""The states of a breaker, and how long it stays open."""

import logging

import pytest

from tests.unit.world import Clock
from windmill.calling.breaker import MOST_ASKED_SECONDS, MOST_SECONDS, Breaker
from windmill.core.errors import WindmillError

AWAY = WindmillError("SERVICE_UNREACHABLE", "refused")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("clip", clock=clock)


def busy(seconds: float | None) -> WindmillError:
    return WindmillError("SERVICE_OVERLOADED", "503", retry_after=seconds)


def put(breaker: Breaker, state: str) -> None:
    if state != "closed":
        breaker.trip(AWAY)
    if state == "half-open":
        breaker.let_one_try()


def in_steps(value: float, middle: float) -> bool:
    """Whether it is the middle of a delay, give or take the fifth by which it is spread."""
    return 0.8 * middle <= value <= 1.2 * middle


@pytest.mark.parametrize(
    ("before", "event", "after"),
    [
        ("closed", "trip", "open"),
        ("closed", "answered", "closed"),
        ("open", "trip", "open"),
        ("open", "wait_longer", "open"),
        ("open", "answered", "open"),
        ("open", "let_one_try", "half-open"),
        ("half-open", "trip", "open"),
        ("half-open", "answered", "closed"),
    ],
)
def test_each_event_leads_from_state_to_state(breaker: Breaker, before: str, event: str, after: str) -> None:
    put(breaker, before)
    assert breaker.state == before
    method = getattr(breaker, event)
    method(AWAY) if event in ("trip", "wait_longer") else method()
    assert breaker.state == after


def test_a_closed_breaker_has_nothing_to_wait_for(breaker: Breaker) -> None:
    assert breaker.seconds_left() == 0


def test_what_was_under_way_when_it_opened_makes_nothing_longer(breaker: Breaker, clock: Clock) -> None:
    breaker.trip(AWAY)
    clock.now += 0.5
    left = breaker.seconds_left()
    for _ in range(20):
        breaker.trip(busy(500))
    assert breaker.seconds_left() == left
    clock.now += 1
    assert breaker.seconds_left() == 0


def test_each_vain_question_makes_the_wait_twice_as_long_up_to_the_most(breaker: Breaker) -> None:
    breaker.trip(AWAY)
    waits = [breaker.seconds_left()]
    for _ in range(7):
        breaker.wait_longer(AWAY)
        waits.append(breaker.seconds_left())
    expected = [1, 2, 4, 8, 16, MOST_SECONDS, MOST_SECONDS, MOST_SECONDS]
    assert all(map(in_steps, waits, expected)), waits


def test_an_outage_that_returns_before_a_job_was_answered_is_the_same_one(breaker: Breaker) -> None:
    for expected in (1, 2, 4, 8):
        breaker.trip(AWAY)
        assert in_steps(breaker.seconds_left(), expected)
        breaker.let_one_try()


def test_a_job_that_is_answered_ends_the_outage_and_the_next_one_begins_small(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.trip(AWAY)
        breaker.let_one_try()
    breaker.answered()
    breaker.trip(AWAY)
    assert in_steps(breaker.seconds_left(), 1)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(None, 1.0), (0.0, 1.0), (90.0, 90.0), (MOST_ASKED_SECONDS, 600.0), (3600.0, MOST_ASKED_SECONDS)],
)
def test_the_wait_is_as_long_as_the_service_asks_within_reason(
    breaker: Breaker, asked: float | None, waits: float
) -> None:
    breaker.trip(busy(asked))
    assert in_steps(breaker.seconds_left(), waits)
    breaker.let_one_try()
    breaker.answered()
    breaker.trip(AWAY)
    breaker.wait_longer(busy(asked))
    assert in_steps(breaker.seconds_left(), max(waits, 2)), "also when it answers so to the question"


def test_the_log_tells_of_one_outage_however_many_jobs_met_it(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        breaker.trip(AWAY)
        breaker.trip(AWAY)
        breaker.wait_longer(AWAY)
        breaker.let_one_try()
        clock.now += 5
    breaker.answered()
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "service clip is away",
        "service clip is back",
    ]
    assert vars(caplog.records[-1])["away_seconds"] == 15
