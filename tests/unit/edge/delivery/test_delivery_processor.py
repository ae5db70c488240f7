"""The delivery processor: what is written, published and acknowledged for each outcome, and in which order."""

import asyncio

import pytest

from tests.unit.edge.delivery.delivery_scene import failing
from tests.unit.world import JOB, World, take
from tests.waiting import settled
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError
from windmill.core.messages import (
    ATTEMPT_HEADER,
    OUTAGES_HEADER,
    encode,
)
from windmill.core.outcomes import MAX_OUTAGES
from windmill.edge.delivery_processor import DeliveryProcessor
from windmill.storage.result_writer import ResultRow


def half_open(state: ServiceState) -> None:
    state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    state.breaker.half_open()


async def test_an_answer_is_written_and_only_then_acknowledged(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    await take(processor, world.delivery())
    assert world.events == ["call", "write", "ack"]
    assert world.rows == [
        ResultRow(
            image_id=17,
            service="clip",
            data='{"predictions": []}',
            error_code=None,
            error_message=None,
            processing_time=0.25,
            worker_id="me",
            attempt=1,
            trace_id="trace",
            submitted_at=JOB.submitted_at,
        )
    ]
    assert state.counts == {"Stored": 1}
    assert processor.deliveries == 1


@pytest.mark.parametrize(("attempt", "delay"), [(1, 5), (2, 10), (3, 10)])
async def test_a_retry_is_republished_with_the_next_attempt_and_only_then_acknowledged(
    world: World, processor: DeliveryProcessor, attempt: int, delay: float
) -> None:
    world.call_error = failing("SERVICE_ERROR")
    headers = {ATTEMPT_HEADER: attempt, "x-death": [1], "x-delivery-count": 2, "CC": ["queue_ocr"], "mine": "kept"}
    await take(processor, world.delivery(**headers))
    assert world.events == ["call", "canary", "retry", "ack"]
    assert world.sent == [("retry", delay, encode(JOB), {ATTEMPT_HEADER: attempt + 1, "mine": "kept"})]
    assert world.rows == []


async def test_all_later_tries_use_the_last_delay(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    for _ in range(500):
        state.failed(first_try=True)
    world.call_error = failing("SERVICE_ERROR")
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 30}))
    ((how, delay, _, headers),) = world.sent
    assert (how, delay, headers[ATTEMPT_HEADER]) == ("retry", 10, 31)


@pytest.mark.parametrize(("code", "attempt"), [("SERVICE_REJECTED", 1), ("SERVICE_ERROR", 4), ("BAD_RESPONSE", 5)])
async def test_a_failed_job_is_written_then_parked_with_its_reason_and_then_acknowledged(
    world: World, processor: DeliveryProcessor, code: Code, attempt: int
) -> None:
    world.call_error = failing(code)
    await take(processor, world.delivery(**{ATTEMPT_HEADER: attempt, "x-death": [1]}))
    assert world.events == ["call", "canary", "write", "park", "ack"]
    (row,) = world.rows
    assert (row.data, row.error_code, row.error_message, row.attempt) == (None, code, "because", attempt)
    ((_, _, body, headers),) = world.sent
    assert body == encode(JOB)
    assert headers.pop("windmill-failed-at").startswith("20")
    assert headers == {
        ATTEMPT_HEADER: attempt,
        "windmill-code": code,
        "windmill-reason": "because",
        "windmill-worker": "me",
    }


@pytest.mark.parametrize("code", ["SERVICE_ERROR", "SERVICE_REJECTED"])
async def test_a_broken_image_is_parked_and_the_service_is_not_probed(
    world: World, processor: DeliveryProcessor, state: ServiceState, code: Code
) -> None:
    world.call_error, world.image_fault = failing(code), failing("IMAGE_UNREADABLE")
    await take(processor, world.delivery())
    assert world.events == ["call", "write", "park", "ack"]
    assert world.rows[0].error_code == "IMAGE_UNREADABLE"
    assert world.sent[0][3]["windmill-code"] == "IMAGE_UNREADABLE"
    assert state.breaker.state == "closed"


@pytest.mark.parametrize("code", ["SERVICE_UNREACHABLE", "SERVICE_OVERLOADED"])
async def test_an_unavailable_service_costs_the_job_no_try_and_opens_the_breaker(
    world: World, processor: DeliveryProcessor, state: ServiceState, code: Code
) -> None:
    world.call_error = world.canary_error = failing(code)
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 4, OUTAGES_HEADER: 2, "x-death": [1], "mine": "kept"}))
    asked = ["canary"] if code == "SERVICE_OVERLOADED" else []
    assert world.events == ["call", *asked, "back", "ack"]
    assert world.sent == [("back", None, encode(JOB), {ATTEMPT_HEADER: 4, OUTAGES_HEADER: 2, "mine": "kept"})]
    assert (state.breaker.state, world.changes, world.rows) == ("open", 1, [])
    assert state.counts == {"Unavailable": 1}


async def test_a_share_that_is_not_mounted_opens_the_breaker_too(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.read_error = WindmillError("IMAGE_NOT_FOUND", "IMAGE_ROOT is empty", retry="pause")
    await take(processor, world.delivery())
    assert world.events == ["back", "ack"]
    assert state.breaker.state == "open"


@pytest.mark.parametrize("before", [0, 1, MAX_OUTAGES - 2])
async def test_a_job_that_an_outage_hits_goes_back_with_the_outage_counted(
    world: World, processor: DeliveryProcessor, state: ServiceState, before: int
) -> None:
    world.call_error = world.canary_error = failing("SERVICE_TIMEOUT")
    await take(processor, world.delivery(**({OUTAGES_HEADER: before} if before else {})))
    assert world.events == ["call", "canary", "back", "ack"]
    assert world.sent == [("back", None, encode(JOB), {OUTAGES_HEADER: before + 1})]
    assert (state.breaker.state, world.changes) == ("open", 1)


@pytest.mark.parametrize("breaker", ["closed", "half-open"])
async def test_a_job_that_caused_too_many_outages_is_parked_and_the_breaker_opens(
    world: World, processor: DeliveryProcessor, state: ServiceState, breaker: str
) -> None:
    if breaker == "half-open":
        half_open(state)
    world.call_error, world.canary_error = failing("BAD_RESPONSE"), failing("SERVICE_UNREACHABLE")
    await take(processor, world.delivery(**{OUTAGES_HEADER: MAX_OUTAGES - 1}))
    assert world.events == ["call", "canary", "write", "park", "ack"]
    assert world.rows[0].error_code == "BAD_RESPONSE"
    assert f"went down {MAX_OUTAGES} times" in world.sent[0][3]["windmill-reason"]
    assert (state.breaker.state, world.changes) == ("open", 1)


async def test_the_wait_that_the_service_asks_for_reaches_the_breaker(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.call_error = failing("SERVICE_OVERLOADED", retry_after=500)
    world.canary_error = failing("SERVICE_OVERLOADED", retry_after=120)
    await take(processor, world.delivery())
    assert state.breaker.seconds_left() == 120


@pytest.mark.parametrize(("outages", "delay"), [(0, 5), (1, 10), (8, 10)])
async def test_a_job_that_alone_is_turned_away_comes_again_later_and_stops_nobody(
    world: World, processor: DeliveryProcessor, state: ServiceState, outages: int, delay: float
) -> None:
    half_open(state)
    world.call_error = failing("SERVICE_OVERLOADED", retry_after=120)
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 2, OUTAGES_HEADER: outages}))
    assert world.events == ["call", "canary", "retry", "ack"]
    assert world.sent == [("retry", delay, encode(JOB), {ATTEMPT_HEADER: 2, OUTAGES_HEADER: outages + 1})]
    assert state.breaker.state == "closed", "the service has answered"


async def test_a_job_that_was_turned_away_too_often_is_parked(world: World, processor: DeliveryProcessor) -> None:
    world.call_error = failing("SERVICE_OVERLOADED")
    await take(processor, world.delivery(**{OUTAGES_HEADER: MAX_OUTAGES - 1}))
    assert world.events == ["call", "canary", "write", "park", "ack"]
    assert (world.rows[0].error_code, world.rows[0].attempt) == ("SERVICE_REJECTED", 1)


async def test_no_job_begins_between_an_outage_and_its_notice(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery(mine=number))) for number in range(20)]
    await settled()
    world.call_error = failing("SERVICE_UNREACHABLE")
    world.gate.set()
    await asyncio.gather(*takes)
    assert world.events.count("call") == 2, "those in the service's hands, and no other"
    assert world.events.count("back") == world.events.count("ack") == 20
    assert sorted(headers["mine"] for _, _, _, headers in world.sent) == list(range(20))
    assert world.changes == 2
    assert state.slots.taken == 0


@pytest.mark.parametrize("closed_by", ["breaker", "processor"])
async def test_a_job_that_has_not_begun_is_requeued_as_a_copy_or_else_rejected(
    world: World, processor: DeliveryProcessor, state: ServiceState, closed_by: str
) -> None:
    if closed_by == "breaker":
        state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    else:
        processor.close()
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 2, "x-death": [1]}))
    assert world.events == ["back", "ack"]
    assert world.sent == [("back", None, encode(JOB), {ATTEMPT_HEADER: 2})]
    world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await take(processor, world.delivery())
    assert world.events[2:] == ["hand back"]
    assert world.broken == []
    assert state.counts == {}, "nothing became of it"


@pytest.mark.parametrize(
    ("call", "canary", "fault", "headers", "expected"),
    [
        (None, None, None, {}, "closed"),
        ("SERVICE_ERROR", None, None, {}, "closed"),
        ("SERVICE_REJECTED", None, None, {}, "closed"),
        ("SERVICE_ERROR", None, None, {ATTEMPT_HEADER: 4}, "closed"),
        ("RESPONSE_TOO_LARGE", None, None, {}, "closed"),
        ("IMAGE_TOO_LARGE", None, None, {}, "half-open"),
        ("SERVICE_ERROR", None, "IMAGE_UNREADABLE", {}, "half-open"),
        (None, None, None, {"x-delivery-count": 3}, "half-open"),
        ("SERVICE_UNREACHABLE", None, None, {}, "open"),
        ("SERVICE_ERROR", "SERVICE_ERROR", None, {}, "open"),
        ("SERVICE_REJECTED", "SERVICE_REJECTED", None, {}, "open"),
    ],
)
async def test_the_trial_job_closes_or_opens_the_breaker(
    world: World,
    processor: DeliveryProcessor,
    state: ServiceState,
    call: Code | None,
    canary: Code | None,
    fault: Code | None,
    headers: dict[str, int],
    expected: str,
) -> None:
    half_open(state)
    world.call_error = failing(call) if call else None
    world.canary_error = failing(canary) if canary else None
    world.image_fault = failing(fault) if fault else None
    await take(processor, world.delivery(**headers))
    assert state.breaker.state == expected
    assert world.changes == (expected != "half-open") + processor.has_suspects


async def test_a_bad_message_or_missing_image_does_not_count_for_the_service(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    half_open(state)
    await take(processor, world.delivery(b"{}"))
    world.read_error = failing("IMAGE_NOT_FOUND")
    await take(processor, world.delivery())
    assert state.breaker.state == "half-open"


async def test_a_late_answer_is_stored_while_the_breaker_is_open_and_leaves_it_open(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.gate.clear()
    late = asyncio.create_task(take(processor, world.delivery()))
    await settled()
    state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    left = state.breaker.seconds_left()
    world.gate.set()
    await late
    assert world.events == ["call", "write", "ack"]
    assert (state.breaker.state, state.breaker.seconds_left()) == ("open", left)
