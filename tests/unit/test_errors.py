"""Every way to fail has a code, a retry class and a remedy."""

from typing import get_args

import pytest

from windmill.errors import KINDS, Code, ConfigInvalid, Problem, Retry, WindmillError, unexpected

CODES = get_args(Code)


def test_every_code_has_its_kind_and_there_are_no_others() -> None:
    assert set(KINDS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_the_operator_does(code: Code) -> None:
    assert len(KINDS[code].remedy) > 10
    assert KINDS[code].retry in get_args(Retry)


@pytest.mark.parametrize("code", CODES)
def test_an_error_is_one_line_with_code_message_and_remedy(code: Code) -> None:
    said = str(WindmillError(code, "what happened"))
    assert said == f"{code}: what happened. Remedy: {KINDS[code].remedy}"
    assert "\n" not in said


def test_an_outage_of_anything_outside_is_never_the_fault_of_a_job() -> None:
    for code in ("SERVICE_UNREACHABLE", "SERVICE_OVERLOADED", "DATABASE_UNAVAILABLE", "BROKER_UNAVAILABLE"):
        assert KINDS[code].retry == "pause"


def test_what_is_wrong_with_the_image_or_the_message_is_not_tried_again() -> None:
    hopeless = [code for code in KINDS if code.startswith("IMAGE_") or code == "BAD_MESSAGE"]
    assert len(hopeless) == 5
    assert {KINDS[code].retry for code in hopeless} == {"never"}


def test_the_place_that_knows_better_overrides_remedy_and_retry_class() -> None:
    error = WindmillError("IMAGE_NOT_FOUND", "the host is away", "wait", retry="later")
    assert (error.remedy, error.retry) == ("wait", "later")


def test_an_invalid_configuration_names_each_problem_on_a_line_of_its_own() -> None:
    error = ConfigInvalid([Problem("QUEUE_PORT", "x", "must be a number"), Problem("DB_HOST", "", "must not be empty")])
    assert str(error).splitlines() == [
        "CONFIG_INVALID: 2 problem(s) in the configuration",
        "  QUEUE_PORT='x': must be a number",
        "  DB_HOST='': must not be empty",
    ]
    assert error.code == "CONFIG_INVALID"
    assert error.retry == "never"


def test_a_fault_of_ours_has_a_code_too_and_may_pass() -> None:
    error = unexpected(ZeroDivisionError("oops"))
    assert (error.code, error.retry) == ("BAD_RESPONSE", "later")
    assert "ZeroDivisionError('oops')" in error.message


def test_a_wait_that_the_other_side_asks_for_is_carried_along() -> None:
    assert WindmillError("SERVICE_OVERLOADED", "503").retry_after is None
    assert WindmillError("SERVICE_OVERLOADED", "503", retry_after=7).retry_after == 7
