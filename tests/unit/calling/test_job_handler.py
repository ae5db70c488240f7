"""One job to one outcome, without a broker or a database."""

import asyncio
from dataclasses import replace

import pytest

from tests.unit.calling.handler_bench import ANSWER, CLIP, JOB, Bench
from tests.unit.calling.service_states import failing
from windmill.calling.job_handler import JobHandler
from windmill.core.errors import Code, WindmillError
from windmill.core.outcomes import Failed, Outcome, RetryLater, Unavailable

BY_URL = replace(CLIP, transport="url")
LINKED = replace(JOB, image_path=None, image_url="https://example.com/17.jpg")


async def test_the_bytes_of_the_image_are_uploaded() -> None:
    bench = Bench()
    assert await bench.handle() == ANSWER
    assert bench.asked == [("read", 17), ("upload", b"pixels")]


async def test_a_service_that_fetches_itself_gets_the_url_and_nothing_is_read() -> None:
    bench = Bench(BY_URL)
    assert await bench.handle(LINKED) == ANSWER
    assert bench.asked == [("refer", "https://example.com/17.jpg")]


async def test_an_image_that_has_only_a_path_is_uploaded_also_to_a_service_that_fetches_itself() -> None:
    bench = Bench(BY_URL)
    await bench.handle()
    assert bench.steps() == ["read", "upload"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failing("IMAGE_NOT_FOUND"), Failed("IMAGE_NOT_FOUND", "because")),
        (failing("IMAGE_FORBIDDEN"), Failed("IMAGE_FORBIDDEN", "because")),
        (WindmillError("IMAGE_UNREADABLE", "disk", retry="later"), RetryLater("IMAGE_UNREADABLE", "disk", 4)),
    ],
)
async def test_an_image_that_cannot_be_read_never_reaches_the_service(error: WindmillError, expected: Outcome) -> None:
    bench = Bench(read_error=error)
    assert await bench.handle() == expected
    assert bench.steps() == ["read"]


async def test_a_share_that_is_not_mounted_is_no_fault_of_the_job() -> None:
    gone = WindmillError("IMAGE_NOT_FOUND", "IMAGE_ROOT is empty", retry="pause")
    assert await Bench(read_error=gone).handle(attempt=99) == Unavailable(gone)


@pytest.mark.parametrize("attempt", [1, 4, 99])
async def test_a_service_that_was_not_reached_is_away_without_another_look(attempt: int) -> None:
    refused = WindmillError("SERVICE_UNREACHABLE", "connection refused", reached=False)
    bench = Bench(call_error=refused)
    assert await bench.handle(attempt=attempt, outages=99) == Unavailable(refused)
    assert bench.steps() == ["read", "upload"]


@pytest.mark.parametrize("code", ["IMAGE_TOO_LARGE", "IMAGE_FORBIDDEN"])
async def test_an_image_that_may_not_be_sent_is_given_up_at_once(code: Code) -> None:
    unfit = WindmillError(code, "because", reached=False)
    bench = Bench(call_error=unfit, canary_error=failing("SERVICE_UNREACHABLE"))
    assert await bench.handle() == Failed(code, "because")
    assert bench.steps() == ["read", "upload"]


@pytest.mark.parametrize(
    ("read_error", "expected"),
    [
        (failing("IMAGE_FORBIDDEN"), RetryLater("SERVICE_ERROR", "because", 4)),
        (failing("IMAGE_TOO_LARGE"), RetryLater("SERVICE_ERROR", "because", 4)),
        (WindmillError("IMAGE_NOT_FOUND", "slow", retry="later"), RetryLater("SERVICE_ERROR", "because", 4)),
        (WindmillError("IMAGE_NOT_FOUND", "no root", retry="pause"), RetryLater("SERVICE_ERROR", "because", 4)),
        (WindmillError("IMAGE_NOT_FOUND", "404"), Failed("IMAGE_NOT_FOUND", "404")),
        (WindmillError("IMAGE_UNREADABLE", "html"), Failed("IMAGE_UNREADABLE", "html")),
    ],
)
async def test_a_job_is_not_given_up_because_its_image_cannot_be_fetched_from_here(
    read_error: WindmillError, expected: Outcome
) -> None:
    bench = Bench(BY_URL, call_error=failing("SERVICE_ERROR"), read_error=read_error)
    assert await bench.handle(LINKED) == expected


async def test_an_image_that_the_service_fetched_is_fetched_here_to_be_looked_at() -> None:
    bench = Bench(BY_URL, call_error=failing("SERVICE_ERROR"), fault=failing("IMAGE_UNREADABLE"))
    assert await bench.handle(LINKED) == Failed("IMAGE_UNREADABLE", "because")
    assert bench.steps() == ["refer", "read", "check"]


@pytest.mark.parametrize("code", ["SERVICE_OVERLOADED", "SERVICE_TIMEOUT"])
async def test_what_means_too_many_calls_at_a_time_is_told(code: Code) -> None:
    auto = replace(CLIP, concurrency="auto")
    bench = Bench(auto, call_error=failing(code))
    before = bench.state.slots.size
    await bench.handle()
    assert bench.state.slots.size < before


async def oops() -> None:
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize("where", ["call", "check"])
@pytest.mark.parametrize(("attempt", "kind"), [(1, RetryLater), (4, Failed)])
async def test_a_fault_of_ours_spends_the_tries_of_one_job_and_is_logged_with_its_trace(
    attempt: int, kind: type[RetryLater | Failed], where: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(call_error=ZeroDivisionError("oops") if where == "call" else failing("SERVICE_ERROR"))
    if where == "check":
        bench.handler = JobHandler(bench.read, bench, lambda _: oops())
    said = "unexpected fault: ZeroDivisionError('oops')"
    outcome = await bench.handle(attempt=attempt)
    assert isinstance(outcome, kind)
    assert (outcome.code, outcome.message) == ("DEFECT", said)
    assert caplog.records[0].exc_info
    assert bench.state.defects == 1


async def test_a_fault_of_ours_that_comes_with_our_own_picture_too_costs_no_job_a_try() -> None:
    bench = Bench(call_error=ZeroDivisionError("oops"), canary_error=failing("BAD_RESPONSE"))
    outcome = await bench.handle(attempt=99)
    assert isinstance(outcome, Unavailable)
    assert "ZeroDivisionError" in outcome.error.message


async def test_a_fault_of_ours_that_comes_with_every_job_is_told_a_few_times(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for number in range(1000):
        bench.call_error = ZeroDivisionError(f"image {number}")
        await bench.handle()
    assert len(caplog.records) == 5
    assert bench.state.defects == 1000


async def test_a_cancelled_job_has_no_outcome() -> None:
    with pytest.raises(asyncio.CancelledError):
        await Bench(call_error=asyncio.CancelledError()).handle()
