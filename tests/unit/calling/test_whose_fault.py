"""Whose fault a failure is: of the image, of the service or of nobody, and what it costs."""

from dataclasses import replace

import pytest

from tests.unit.calling.handler_bench import CLIP, Bench
from tests.unit.calling.service_states import SETTINGS, failing
from windmill.core.errors import ERROR_CODES, Code, WindmillError
from windmill.core.outcomes import MAX_OUTAGES, Failed, Outcome, RetryLater, Unavailable

BLAMED_ON_NOBODY: list[Code] = ["SERVICE_ERROR", "SERVICE_TIMEOUT", "BAD_RESPONSE", "SERVICE_REJECTED"]
TURNED_AWAY = [
    failing("SERVICE_UNREACHABLE"),
    failing("SERVICE_OVERLOADED"),
    WindmillError("BAD_RESPONSE", "another service answers here", retry="pause"),
]


@pytest.mark.parametrize("error", TURNED_AWAY, ids=lambda error: error.code)
@pytest.mark.parametrize("attempt", [1, 4, 99])
async def test_a_reply_of_a_service_that_is_away_is_believed_when_our_own_picture_gets_one_too(
    error: WindmillError, attempt: int
) -> None:
    to_the_picture = WindmillError("SERVICE_OVERLOADED", "503", retry_after=7)
    bench = Bench(call_error=error, canary_error=to_the_picture)
    assert await bench.handle(attempt=attempt, outages=99) == Unavailable(to_the_picture)
    assert bench.steps() == ["read", "upload", "canary"]


@pytest.mark.parametrize("error", TURNED_AWAY, ids=lambda error: error.code)
@pytest.mark.parametrize("proof", ["another answer", "the picture", "the picture is rejected"])
@pytest.mark.parametrize("outages", [0, MAX_OUTAGES - 2, MAX_OUTAGES - 1, 50])
async def test_what_is_turned_away_while_others_are_answered_was_turned_away_alone(
    error: WindmillError, proof: str, outages: int
) -> None:
    bench = Bench(call_error=error, answers_meanwhile=proof == "another answer")
    bench.canary_error = failing("SERVICE_REJECTED") if "rejected" in proof else None
    outcome = await bench.handle(attempt=2, outages=outages)
    if outages + 1 < MAX_OUTAGES:
        assert outcome == RetryLater(error.code, error.message, MAX_OUTAGES, refused=True)
    else:
        assert isinstance(outcome, Failed)
        assert outcome.code == "SERVICE_REJECTED"
        assert outcome.outage is None
        assert f"{outages + 1} times" in outcome.message
        assert error.message in outcome.message


async def test_where_many_images_are_turned_away_each_comes_again_more_often() -> None:
    bench = Bench(call_error=failing("SERVICE_OVERLOADED"))
    for _ in range(100):
        await bench.handle(outages=3)
    assert isinstance(await bench.handle(outages=MAX_OUTAGES - 1), Failed), "the same image says nothing new"
    for _ in range(300):
        await bench.handle()
    assert isinstance(await bench.handle(outages=MAX_OUTAGES - 1), RetryLater)


async def test_one_image_that_is_always_turned_away_lowers_the_number_of_calls_once() -> None:
    bench = Bench(replace(CLIP, concurrency="auto"), call_error=failing("SERVICE_OVERLOADED"))
    before = bench.state.slots.size
    await bench.handle(outages=1)
    assert bench.state.slots.size == before
    await bench.handle()
    assert bench.state.slots.size < before


@pytest.mark.parametrize("code", ["IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
async def test_what_is_too_large_is_given_up_at_once_when_our_own_picture_is_answered(code: Code) -> None:
    bench = Bench(call_error=failing(code))
    assert await bench.handle() == Failed(code, "because")
    assert bench.steps() == ["read", "upload", "canary"]
    for _ in range(100):
        await bench.handle()
    assert bench.state.tries(0) == 4, "which says nothing about how reliable the service is"


@pytest.mark.parametrize("doubt", ["SERVICE_UNREACHABLE", "IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
@pytest.mark.parametrize("code", ["IMAGE_TOO_LARGE", "RESPONSE_TOO_LARGE"])
async def test_what_is_too_large_is_an_outage_when_our_own_picture_is_not_answered_either(
    code: Code, doubt: Code
) -> None:
    outcome = await Bench(call_error=failing(code), canary_error=failing(doubt)).handle()
    assert isinstance(outcome, Unavailable)
    assert outcome.in_hand
    assert outcome.error.code == doubt


@pytest.mark.parametrize("fault", ["IMAGE_UNREADABLE", "IMAGE_TOO_LARGE"])
@pytest.mark.parametrize("code", ["SERVICE_ERROR", "SERVICE_REJECTED"])
async def test_an_image_that_turns_out_to_be_broken_is_given_up_at_once(code: Code, fault: Code) -> None:
    bench = Bench(call_error=failing(code), fault=WindmillError(fault, "cut"))
    assert await bench.handle() == Failed(fault, "cut")
    assert bench.steps() == ["read", "upload", "check"], "the service need not prove anything"


@pytest.mark.parametrize("code", ["SERVICE_TIMEOUT", "BAD_RESPONSE"])
async def test_no_image_is_decoded_for_what_services_never_answer_to_a_broken_one(code: Code) -> None:
    bench = Bench(call_error=failing(code), fault=failing("IMAGE_UNREADABLE"))
    await bench.handle()
    assert bench.steps() == ["read", "upload", "canary"]


def expected_if_well(code: Code, attempt: int) -> Outcome:
    last = ERROR_CODES[code].retry == "never" or attempt >= SETTINGS.max_retries + 1
    return Failed(code, "because") if last else RetryLater(code, "because", 4)


@pytest.mark.parametrize("attempt", [1, 3, 4, 9])
@pytest.mark.parametrize("proof", ["another answer", "the picture"])
@pytest.mark.parametrize("code", BLAMED_ON_NOBODY)
async def test_a_failure_counts_as_a_try_when_the_service_is_proved_well(code: Code, proof: str, attempt: int) -> None:
    bench = Bench(call_error=failing(code), answers_meanwhile=proof == "another answer")
    assert await bench.handle(attempt=attempt, outages=5) == expected_if_well(code, attempt)
    assert ("canary" in bench.steps()) is (proof == "the picture")


@pytest.mark.parametrize("outages", [0, MAX_OUTAGES - 2, MAX_OUTAGES - 1, 50])
@pytest.mark.parametrize("doubt", ["SERVICE_UNREACHABLE", "SERVICE_TIMEOUT", "SERVICE_ERROR", "BAD_RESPONSE"])
@pytest.mark.parametrize("code", BLAMED_ON_NOBODY)
async def test_a_failure_is_an_outage_when_a_good_picture_is_not_answered_either(
    code: Code, doubt: Code, outages: int
) -> None:
    bench = Bench(call_error=failing(code), canary_error=failing(doubt))
    outcome = await bench.handle(attempt=99, outages=outages)
    if outages + 1 < MAX_OUTAGES:
        assert isinstance(outcome, Unavailable)
        assert outcome.in_hand
        assert outcome.error.code == doubt
    else:
        assert isinstance(outcome, Failed)
        assert outcome.code == code
        assert outcome.outage


async def test_a_service_that_is_away_teaches_nothing_of_how_many_tries_fail() -> None:
    bench = Bench(call_error=failing("SERVICE_ERROR"), canary_error=failing("SERVICE_ERROR"))
    for _ in range(100):
        await bench.handle()
    assert bench.state.tries(0) == 4
    bench.canary_error = None
    for _ in range(100):
        await bench.handle(attempt=2)
    assert bench.state.tries(0) == 4, "nor do second tries"
    for _ in range(100):
        await bench.handle()
    assert bench.state.tries(0) > 10


async def test_where_many_first_tries_fail_a_job_gets_more() -> None:
    bench = Bench(call_error=failing("SERVICE_ERROR"), answers_meanwhile=True)
    assert isinstance(await bench.handle(attempt=4), Failed)
    for _ in range(200):
        await bench.handle()
    assert isinstance(await bench.handle(attempt=4), RetryLater)
