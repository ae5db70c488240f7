"""How many calls an outage leaves a service, and how they become more."""

import pytest

from windmill.calling.ramp_up import FLAP_SECONDS, RampUp

FULL = 8


def limits(ramp_up: RampUp, answers: int) -> list[int]:
    """What is allowed after each of so many answers."""
    allowed = []
    for _ in range(answers):
        ramp_up.answered(FULL)
        allowed.append(ramp_up.allowed(FULL, 0))
    return allowed


def test_before_any_outage_all_calls_are_allowed() -> None:
    assert RampUp().allowed(FULL, 0) == FULL


def test_after_an_outage_each_answer_allows_one_more_until_all_are_allowed() -> None:
    ramp_up = RampUp()
    ramp_up.outage_began(0)
    assert ramp_up.allowed(FULL, 0) == 1
    assert limits(ramp_up, 9) == [2, 3, 4, 5, 6, 7, 8, 8, 8]
    assert ramp_up.limit is None


def test_calls_that_the_outage_left_hanging_do_not_keep_new_ones_from_beginning() -> None:
    ramp_up = RampUp()
    ramp_up.outage_began(0)
    assert (ramp_up.allowed(FULL, 3), ramp_up.allowed(FULL, 20)) == (4, FULL)


def test_a_service_that_flaps_starts_with_twice_as_many_calls_as_it_answered_last_time() -> None:
    ramp_up = RampUp()
    ramp_up.outage_began(0)
    starts = []
    for moment, answers in ((4, 1), (8, 2), (12, 4), (16, 0), (20, 3)):
        limits(ramp_up, answers)
        ramp_up.outage_began(moment)
        starts.append(ramp_up.allowed(FULL, 0))
    assert starts == [2, 4, 8, 1, 6]


def test_an_outage_long_after_the_last_starts_with_one_call() -> None:
    ramp_up = RampUp()
    ramp_up.outage_began(0)
    limits(ramp_up, 100)
    ramp_up.outage_began(FLAP_SECONDS)
    assert (ramp_up.allowed(FULL, 0), ramp_up.flaps) == (1, False)


@pytest.mark.parametrize("sign_of_life", ["answer", "probe", None])
def test_a_service_flaps_if_it_answered_anything_since_its_last_outage(sign_of_life: str | None) -> None:
    ramp_up = RampUp()
    ramp_up.outage_began(0)
    assert not ramp_up.flaps
    if sign_of_life == "answer":
        ramp_up.answered(FULL)
    if sign_of_life == "probe":
        ramp_up.probe_answered()
    ramp_up.outage_began(4)
    assert ramp_up.flaps is (sign_of_life is not None)
    assert ramp_up.allowed(FULL, 0) == (2 if sign_of_life == "answer" else 1)
    ramp_up.outage_began(8)
    assert not ramp_up.flaps, "nothing was answered this time"
