"""An outage is told without a flood."""

import logging

import pytest

from windmill.core.errors import WindmillError, unexpected
from windmill.core.log_throttle import TIMES
from windmill.core.outages import REMIND_SECONDS, Outage


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock, caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.DEBUG)
    return Outage("the broker", first=1, maximum=8, clock=clock, dice=lambda: 0.5)


def test_the_waits_double_up_to_the_most(outage: Outage) -> None:
    assert [outage.failed(OSError("no")) for _ in range(6)] == [1, 2, 4, 8, 8, 8]


def test_the_dice_spread_the_waits(clock: Clock) -> None:
    assert Outage("x", first=1, maximum=8, clock=clock, dice=lambda: 1.0).failed(OSError()) == pytest.approx(1.2)


def test_the_first_failure_is_told_at_once_and_then_one_a_minute(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[float] = []
    for second in range(131):
        clock.now = 1000.0 + second
        outage.failed(OSError("refused"))
        if len(caplog.messages) > len(told):
            told.append(second)
    assert told == [0, REMIND_SECONDS, 2 * REMIND_SECONDS]
    assert set(caplog.messages) == {"the broker is unavailable: refused"}
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_a_fault_of_ours_is_not_told_as_one_of_the_other_side(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.failed(unexpected(ZeroDivisionError("oops")))
    assert caplog.messages[0].startswith("the broker was closed after a bug of Windmill: DEFECT: ")


def test_a_share_that_is_away_is_not_told_as_an_outage_of_the_service(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage("service clip", clock=clock)
    outage.failed(WindmillError("IMAGE_NOT_FOUND", "IMAGE_ROOT=/share is empty", "mount it", retry="pause"))
    outage.over()
    assert caplog.messages == [
        "service clip waits for its images: IMAGE_NOT_FOUND: IMAGE_ROOT=/share is empty. Remedy: mount it",
        "service clip has its images again",
    ]


def test_the_return_is_told_once_with_the_time_it_was_away(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outage.failed(OSError("refused"))
    clock.now += 42
    outage.failed(OSError("refused"))
    outage.over()
    outage.over()
    assert caplog.messages == ["the broker is unavailable: refused", "the broker is available again"]
    assert vars(caplog.records[-1])["away_seconds"] == 42
    assert vars(caplog.records[-1])["failures"] == 2


def test_success_without_an_outage_says_nothing(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.over()
    assert caplog.messages == []


def test_a_second_outage_starts_from_the_shortest_wait_and_is_told_at_once(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        outage.failed(OSError("refused"))
    outage.over()
    clock.now += 1
    assert outage.failed(OSError("again")) == 1
    assert caplog.messages[-1] == "the broker is unavailable: again"


def test_an_outage_lasts_from_the_first_failure_to_the_return(outage: Outage) -> None:
    seen = [outage.lasts]
    for step in (outage.failed, outage.failed):
        step(OSError("refused"))
        seen.append(outage.lasts)
    outage.over()
    assert [*seen, outage.lasts] == [False, True, True, False]


def test_of_a_thing_that_comes_and_goes_all_the_time_a_few_outages_a_minute_are_told(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(55):
        clock.now += 1
        outage.failed(OSError("refused"))
        outage.over()
    assert caplog.messages == ["the broker is unavailable: refused", "the broker is available again"] * TIMES
    clock.now += 6
    outage.failed(OSError("refused"))
    assert vars(caplog.records[-1])["suppressed"] == 50


def test_an_outage_that_was_not_told_is_told_when_it_lasts(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(TIMES):
        outage.failed(OSError("refused"))
        outage.over()
    caplog.clear()
    outage.failed(OSError("refused"))
    assert caplog.messages == []
    clock.now += REMIND_SECONDS
    outage.failed(OSError("refused"))
    outage.over()
    assert caplog.messages == ["the broker is unavailable: refused", "the broker is available again"]
