"""What becomes of a job whose try failed."""

import pytest

from windmill.errors import Retry, WindmillError
from windmill.outcomes import Failed, RetryLater, Unavailable, after_error


@pytest.mark.parametrize(
    ("retry", "attempt", "max_retries", "expected"),
    [
        ("later", 1, 3, RetryLater),
        ("later", 3, 3, RetryLater),
        ("later", 4, 3, Failed),
        ("later", 99, 3, Failed),
        ("later", 1, 0, Failed),
        ("never", 1, 3, Failed),
        ("never", 1, 0, Failed),
        ("pause", 1, 3, Unavailable),
        ("pause", 4, 3, Unavailable),
        ("pause", 99, 0, Unavailable),
    ],
)
def test_a_failure_is_retried_while_it_may_pass_and_tries_are_left(
    retry: Retry, attempt: int, max_retries: int, expected: type
) -> None:
    error = WindmillError("SERVICE_ERROR", "said 500", retry=retry)
    outcome = after_error(error, attempt, max_retries)
    assert type(outcome) is expected
    assert (outcome.code, outcome.message) == ("SERVICE_ERROR", "said 500")
