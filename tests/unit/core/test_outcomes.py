"""What becomes of a job whose try failed."""

import pytest

from windmill.core.errors import Code, Retry, WindmillError
from windmill.core.outcomes import (
    MAX_OUTAGES,
    Failed,
    RetryLater,
    Unavailable,
    after_error,
    after_outage,
    is_code_from_service,
)


@pytest.mark.parametrize(
    ("retry", "attempt", "tries", "expected"),
    [
        ("later", 1, 4, RetryLater),
        ("later", 3, 4, RetryLater),
        ("later", 4, 4, Failed),
        ("later", 99, 4, Failed),
        ("later", 14, 15, RetryLater),
        ("later", 1, 1, Failed),
        ("never", 1, 4, Failed),
        ("never", 1, 40, Failed),
    ],
)
def test_a_failure_is_retried_while_it_may_pass_and_tries_are_left(
    retry: Retry, attempt: int, tries: int, expected: type[RetryLater] | type[Failed]
) -> None:
    error = WindmillError("SERVICE_ERROR", "said 500", retry=retry)
    outcome = after_error(error, attempt, tries)
    assert isinstance(outcome, expected)
    assert (outcome.code, outcome.message) == ("SERVICE_ERROR", "said 500")


@pytest.mark.parametrize(("attempt", "tries"), [(1, 4), (4, 4), (99, 1)])
def test_an_outage_costs_no_try_however_many_there_were(attempt: int, tries: int) -> None:
    error = WindmillError("SERVICE_UNREACHABLE", "refused", retry_after=7)
    outcome = after_error(error, attempt, tries)
    assert outcome == Unavailable(error)
    assert not outcome.in_hand


ERROR = WindmillError("SERVICE_ERROR", "said 500")
DOUBT = WindmillError("SERVICE_OVERLOADED", "said 503", "buy more", retry_after=42)


@pytest.mark.parametrize("outages", range(MAX_OUTAGES - 1))
def test_a_job_in_hand_when_the_service_goes_away_goes_back_and_says_so(outages: int) -> None:
    outcome = after_outage(ERROR, DOUBT, outages)
    assert isinstance(outcome, Unavailable)
    assert outcome.in_hand
    assert (outcome.error.code, outcome.error.remedy, outcome.error.retry_after) == (DOUBT.code, DOUBT.remedy, 42)
    assert "said 500" in outcome.error.message
    assert "said 503" in outcome.error.message


@pytest.mark.parametrize("outages", [MAX_OUTAGES - 1, MAX_OUTAGES, 1000])
def test_a_job_in_hand_in_too_many_outages_is_what_makes_them(outages: int) -> None:
    outcome = after_outage(ERROR, DOUBT, outages)
    assert isinstance(outcome, Failed)
    assert outcome.code == "SERVICE_ERROR"
    assert f"went down {outages + 1} times" in outcome.message
    assert "said 500" in outcome.message
    assert outcome.outage, "the service is away this time, too"
    assert outcome.outage.retry_after == 42


@pytest.mark.parametrize(
    ("code", "from_service"),
    [
        (None, True),
        ("SERVICE_ERROR", True),
        ("BAD_RESPONSE", True),
        ("IMAGE_NOT_FOUND", False),
        ("IMAGE_UNREADABLE", False),
        ("BAD_MESSAGE", False),
        ("WORKER_LOST", False),
    ],
)
def test_what_fails_before_a_service_is_asked_says_nothing_of_it(code: Code | None, from_service: bool) -> None:
    assert is_code_from_service(code) is from_service
