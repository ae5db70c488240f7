"""The delivery processor: what is written, published and acknowledged for each outcome, and in which order."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.world import JOB, World, take
from tests.waiting import settled
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, DataRefused, WindmillError
from windmill.core.messages import (
    ATTEMPT_HEADER,
    HANDED_OUT_HEADER,
    OUTAGES_HEADER,
    TRIES_HEADER,
    URGENT_HEADER,
    encode,
)
from windmill.core.outcomes import MAX_OUTAGES
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.edge.delivery_processor import DeliveryProcessor
from windmill.storage.result_writer import ResultRow

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=2)
SETTINGS = Settings.from_env({"WORKER_ID": "me", "RETRY_DELAYS": "5,10", "MAX_RETRIES": "3", "DELIVERY_LIMIT": "3"})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def state(world: World) -> ServiceState:
    return world.state(CLIP, SETTINGS)


@pytest.fixture
def processor(world: World, state: ServiceState) -> DeliveryProcessor:
    made = world.processor(state, SETTINGS)
    made.has_suspects = False  # as after the first job
    return made


def failing(code: Code, retry_after: float | None = None) -> WindmillError:
    return WindmillError(code, "because", retry_after=retry_after, reached=code != "SERVICE_UNREACHABLE")


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


@pytest.mark.parametrize(
    ("redelivered", "headers", "events"),
    [
        (False, {}, ["call", "write", "ack"]),
        (True, {"x-delivery-count": 1}, ["call", "write", "ack"]),
        (False, {"x-delivery-count": 2}, ["call", "write", "ack"]),
        (True, {"x-delivery-count": 3}, ["write", "park", "ack"]),
        (False, {HANDED_OUT_HEADER: 2}, ["call", "write", "ack"]),
        (False, {HANDED_OUT_HEADER: 3}, ["write", "park", "ack"]),
        (True, {HANDED_OUT_HEADER: 2, "x-delivery-count": 1}, ["write", "park", "ack"]),
        (True, {}, ["back", "ack"]),
        (True, {HANDED_OUT_HEADER: 1}, ["back", "ack"]),
    ],
)
async def test_a_job_that_reached_the_delivery_limit_is_parked(
    world: World, processor: DeliveryProcessor, redelivered: bool, headers: dict[str, int], events: list[str]
) -> None:
    await take(processor, (world.redelivery if redelivered else world.delivery)(**headers))
    assert world.events == events
    if "park" in events:
        assert world.rows[0].error_code == world.sent[0][3]["windmill-code"] == "WORKER_LOST"
        assert "3 times" in (world.rows[0].error_message or "")


async def test_a_classic_queue_s_job_is_counted_in_its_own_header_until_it_is_parked(
    world: World, processor: DeliveryProcessor
) -> None:
    headers: dict[str, object] = {"mine": "kept"}
    for times in (1, 2, 3):
        world.sent.clear()
        await take(processor, world.redelivery(**headers))
        [(event, _, body, copied)] = world.sent
        assert (event, body, copied) == ("back", encode(JOB), {"mine": "kept", HANDED_OUT_HEADER: times})
        headers = dict(copied)
    await take(processor, world.delivery(**headers))
    assert world.sent[-1][0] == "park"
    assert "call" not in world.events


async def test_a_redelivered_job_that_cannot_be_counted_is_not_begun_and_not_acknowledged(
    world: World, processor: DeliveryProcessor
) -> None:
    world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await take(processor, world.redelivery())
    assert world.events == []
    assert world.broken == [world.send_error]


@pytest.mark.parametrize("how", ["not begun", "refused", "in hand"])
async def test_a_copy_keeps_the_delivery_count(
    world: World, processor: DeliveryProcessor, state: ServiceState, how: str
) -> None:
    """The broker restarts the count for a copy, so a poison job would never reach the limit."""
    if how == "not begun":
        state.breaker.trip(failing("SERVICE_UNREACHABLE"))
    elif how == "refused":
        world.call_error = failing("SERVICE_UNREACHABLE")
    else:
        world.call_error = world.canary_error = failing("SERVICE_TIMEOUT")
    await take(processor, world.redelivery(**{"x-delivery-count": 1, HANDED_OUT_HEADER: 1}))
    assert world.sent[0][0] == "back"
    assert world.sent[0][3][HANDED_OUT_HEADER] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00\x01",
        b"{}",
        b'{"image_id": 1}',
        b'{"image_path": "a", "image_id": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    ],
)
async def test_a_body_that_is_no_job_is_parked_with_its_bytes(
    world: World, processor: DeliveryProcessor, body: bytes
) -> None:
    await take(processor, world.delivery(body, mine="kept"))
    assert world.events == ["park", "ack"]
    ((_, _, parked, headers),) = world.sent
    assert parked == body
    assert headers["windmill-code"] == "BAD_MESSAGE"
    assert headers["mine"] == "kept"
    assert world.rows == []


async def test_a_reply_that_postgresql_rejects_is_written_as_an_error_and_parked(
    world: World, processor: DeliveryProcessor
) -> None:
    world.write_errors = [DataRefused("invalid byte sequence")]
    await take(processor, world.delivery())
    assert world.events == ["call", "write", "park", "ack"]
    assert world.rows[0].error_code == "BAD_RESPONSE"
    assert "invalid byte sequence" in (world.rows[0].error_message or "")
    assert world.rows[0].data is None


async def test_a_job_is_parked_even_if_postgresql_rejects_its_error(world: World, processor: DeliveryProcessor) -> None:
    world.write_errors = [DataRefused("first"), DataRefused("second")]
    await take(processor, world.delivery())
    assert world.events == ["call", "park", "ack"]
    assert "second" in world.sent[0][3]["windmill-reason"]


async def test_the_reason_in_the_headers_is_short(world: World, processor: DeliveryProcessor) -> None:
    world.call_error = WindmillError("SERVICE_REJECTED", "x" * 100_000)
    await take(processor, world.delivery())
    assert len(world.sent[0][3]["windmill-reason"]) == 500


async def test_a_thousand_failed_jobs_are_a_few_lines_in_the_log(
    world: World, processor: DeliveryProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    world.call_error = failing("IMAGE_TOO_LARGE")
    for _ in range(1000):
        await take(processor, world.delivery())
    assert caplog.messages == ["job failed"] * 5
    assert len(world.sent) == 1000


@pytest.mark.parametrize("code", ["SERVICE_ERROR", "SERVICE_REJECTED", "SERVICE_UNREACHABLE"])
async def test_a_publish_that_fails_leaves_the_delivery_unacknowledged_and_reports_the_session(
    world: World, processor: DeliveryProcessor, code: Code
) -> None:
    world.call_error = failing(code)
    world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await take(processor, world.delivery())
    assert "ack" not in world.events
    assert world.broken == [world.send_error]
    await asyncio.wait_for(processor.drained(), 1)


@pytest.mark.parametrize(("attempt", "kind"), [(1, "retry"), (3, "retry"), (4, "park")])
async def test_a_defect_with_one_job_is_charged_to_that_job_and_not_to_the_session(
    world: World,
    processor: DeliveryProcessor,
    state: ServiceState,
    attempt: int,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.write_errors = [TypeError("oops")] * 2
    await take(processor, world.delivery(**{ATTEMPT_HEADER: attempt}))
    assert world.events == ["call", kind, "ack"]
    assert world.broken == []
    headers = world.sent[0][3]
    assert headers.get("windmill-code") == ("DEFECT" if kind == "park" else None)
    assert headers[ATTEMPT_HEADER] == (attempt if kind == "park" else attempt + 1)
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.__dict__["code"] == "DEFECT"
    assert "report the traceback" in record.__dict__["remedy"]
    assert state.defects == 1
    assert (state.in_progress, state.slots.taken) == (0, 0)


async def test_a_defect_that_lets_nothing_be_published_leaves_the_delivery_to_the_next_session(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.call_error, world.send_error = failing("SERVICE_ERROR"), TypeError("oops")
    await take(processor, world.delivery())
    assert "ack" not in world.events
    assert [error.code for error in world.broken] == ["DEFECT"]
    assert state.defects == 2
    assert (state.in_progress, state.slots.taken) == (0, 0)


async def test_a_broker_that_is_lost_while_a_defect_is_charged_is_reported(
    world: World, processor: DeliveryProcessor
) -> None:
    world.write_errors, world.send_error = [TypeError("oops")], WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await take(processor, world.delivery())
    assert "ack" not in world.events
    assert world.broken == [world.send_error]


async def test_a_defect_that_all_jobs_meet_is_a_few_traces_in_the_log(
    world: World, processor: DeliveryProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        world.write_errors = [TypeError("oops")]
        await take(processor, world.delivery())
    assert len([record for record in caplog.records if record.exc_info]) == 5
    assert world.events.count("retry") == 100


class Unmapped(dict[str, object]):
    """Headers over which reading stumbles."""

    def get(self, *_: object) -> object:
        raise TypeError("oops")


async def test_a_defect_in_reading_a_message_parks_its_bytes(world: World, processor: DeliveryProcessor) -> None:
    delivery = world.delivery(mine="lost")
    delivery.headers = Unmapped(delivery.headers)
    await take(processor, delivery)
    assert world.events == ["park", "ack"]
    ((_, _, body, headers),) = world.sent
    assert (body, headers["windmill-code"]) == (encode(JOB), "DEFECT")
    assert world.broken == []


async def test_a_url_that_cannot_be_parsed_is_parked_like_any_other_job(
    world: World, processor: DeliveryProcessor
) -> None:
    world.read_error = failing("IMAGE_FORBIDDEN")
    body = encode(replace(JOB, image_path=None, image_url="http://user:sesame@ex\u2100mple.com/a.jpg"))
    await take(processor, world.delivery(body))
    assert world.events == ["write", "park", "ack"]
    assert world.broken == []


async def test_a_body_far_larger_than_any_job_is_parked_unread(world: World, processor: DeliveryProcessor) -> None:
    body = b'{"image_id": 1, "image_path": "' + b"a" * 70_000 + b'"}'
    await take(processor, world.delivery(body))
    assert world.events == ["park", "ack"]
    assert world.sent[0][3]["windmill-code"] == "BAD_MESSAGE"
    assert len(world.sent[0][3]["windmill-reason"]) < 100


async def test_jobs_run_up_to_the_concurrency_of_the_service(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery())) for _ in range(6)]
    await settled()
    assert (world.calling, state.in_progress) == (2, 6)
    world.gate.set()
    await asyncio.gather(*takes)
    assert world.most_calling == 2
    assert world.events.count("ack") == 6


async def test_two_sessions_of_one_process_share_the_concurrency_of_the_service(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    world.gate.clear()
    following = world.processor(state, SETTINGS)
    old = [asyncio.create_task(take(processor, world.delivery())) for _ in range(3)]
    await settled()
    processor.close()
    new = [asyncio.create_task(take(following, world.delivery())) for _ in range(3)]
    await settled()
    assert (world.calling, state.in_progress) == (2, 6)
    drained = asyncio.create_task(processor.drained())
    world.gate.set()
    await asyncio.gather(*old, *new, drained)
    assert world.most_calling == 2
    assert (world.events.count("call"), world.events.count("back"), world.events.count("ack")) == (5, 1, 6)


async def test_a_closed_processor_requeues_waiting_jobs_and_finishes_running_ones(
    world: World, processor: DeliveryProcessor
) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery())) for _ in range(5)]
    await settled()
    processor.close()
    world.gate.set()
    await asyncio.gather(*takes, take(processor, world.delivery()))
    assert world.events.count("call") == 2
    assert world.events.count("write") == 2
    assert world.events.count("back") == 4
    assert world.events.count("ack") == 6


async def test_a_processor_is_drained_when_the_last_delivery_is_settled(
    world: World, processor: DeliveryProcessor
) -> None:
    await asyncio.wait_for(processor.drained(), 1)
    world.gate.clear()
    takes = [asyncio.create_task(take(processor, world.delivery())) for _ in range(3)]
    await settled()
    drained = asyncio.create_task(processor.drained())
    await settled()
    assert not drained.done()
    world.gate.set()
    await asyncio.wait_for(drained, 1)
    assert world.events.count("ack") == 3
    await asyncio.gather(*takes)


def while_calling(world: World) -> None:
    world.gate.clear()


def while_asking(world: World) -> None:
    world.call_error = failing("SERVICE_ERROR")
    world.canary_gate.clear()


@pytest.mark.parametrize("busy", [while_calling, while_asking])
async def test_cancelled_jobs_are_neither_written_nor_acknowledged_and_leave_nothing_behind(
    world: World, processor: DeliveryProcessor, state: ServiceState, busy: Callable[[World], None]
) -> None:
    before = asyncio.all_tasks()
    busy(world)
    tasks = [asyncio.create_task(take(processor, world.delivery())) for _ in range(5)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await settled()
    assert {"write", "ack", "back", "retry"}.isdisjoint(world.events)
    assert (state.in_progress, state.slots.taken) == (0, 0)
    assert asyncio.all_tasks() == before
    await asyncio.wait_for(processor.drained(), 1)


async def test_a_job_carries_the_number_of_tries_it_was_granted(
    world: World, processor: DeliveryProcessor, state: ServiceState
) -> None:
    for _ in range(200):
        state.failed(first_try=True)
    world.call_error = failing("SERVICE_ERROR")
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 4}))
    headers = world.sent[0][3]
    assert headers[ATTEMPT_HEADER] == 5
    assert headers[TRIES_HEADER] > 10


async def test_granted_tries_hold_in_a_process_that_has_seen_no_failure(
    world: World, processor: DeliveryProcessor
) -> None:
    world.call_error = failing("SERVICE_ERROR")
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 9, TRIES_HEADER: 12}))
    assert world.sent[0][3][ATTEMPT_HEADER] == 10
    await take(processor, world.delivery(**{ATTEMPT_HEADER: 12, TRIES_HEADER: 12}))
    assert world.events[-2:] == ["park", "ack"]


@pytest.mark.parametrize("headers", [{}, {URGENT_HEADER: True}], ids=["published by others", "published by a producer"])
@pytest.mark.parametrize(("code", "attempt", "event"), [("SERVICE_ERROR", 1, "retry"), ("SERVICE_REJECTED", 1, "park")])
async def test_an_urgent_job_stays_urgent_wherever_its_copy_goes(
    world: World, state: ServiceState, headers: dict[str, object], code: Code, attempt: int, event: str
) -> None:
    world.call_error = failing(code)
    await take(world.processor(state, SETTINGS, urgent=True), world.delivery(**headers))
    [(sent, _, _, kept)] = world.sent
    assert (sent, kept[URGENT_HEADER]) == (event, True)
    assert state.urgent_jobs == 1


async def test_an_urgent_job_that_has_not_begun_goes_back_to_the_urgent_queue(
    world: World, state: ServiceState
) -> None:
    processor = world.processor(state, SETTINGS, urgent=True)
    processor.close()
    await take(processor, world.delivery())
    assert [len(world.broker.queues[name].messages) for name in ("clip", "clip_urgent")] == [0, 1]


async def test_an_urgent_job_overtakes_the_ordinary_ones_that_fill_the_prefetch(
    world: World, state: ServiceState, processor: DeliveryProcessor
) -> None:
    world.gate.clear()
    bodies = {number: encode(replace(JOB, image_id=number)) for number in range(1, 7)}
    ordinary = [asyncio.create_task(take(processor, world.delivery(bodies[number]))) for number in range(1, 6)]
    await settled()
    urgent = asyncio.create_task(take(world.processor(state, SETTINGS, urgent=True), world.delivery(bodies[6])))
    await settled()
    world.gate.set()
    await asyncio.gather(*ordinary, urgent)
    assert [row.image_id for row in world.rows] == [1, 2, 6, 3, 4, 5]


@pytest.mark.parametrize("urgent", [False, True])
async def test_delivery_limit_and_suspicion_hold_for_jobs_of_both_queues(
    world: World, state: ServiceState, urgent: bool
) -> None:
    processor = world.processor(state, SETTINGS, urgent=urgent)
    await take(processor, world.delivery(**{"x-delivery-count": 2}))
    assert processor.has_suspects
    await take(processor, world.delivery(**{"x-delivery-count": 3}))
    assert [row.error_code for row in world.rows] == [None, "WORKER_LOST"]


async def test_sessions_that_were_given_up_do_not_make_a_job_look_deadly(world: World, state: ServiceState) -> None:
    """Each session ends with the job in hand: its copy could not be published, although the worker is well."""
    delivered = 0
    for _ in range(3 * SETTINGS.delivery_limit):
        processor = world.processor(state, SETTINGS)
        world.call_error, world.send_error = failing("SERVICE_ERROR"), WindmillError("BROKER_UNAVAILABLE", "no confirm")
        await take(processor, world.delivery(**({"x-delivery-count": delivered} if delivered else {})))
        processor.close()
        delivered += 1
        if delivered == SETTINGS.delivery_limit:  # the broker would not deliver it again without parking it
            break
    world.send_error = None
    await take(world.processor(state, SETTINGS), world.delivery(**{"x-delivery-count": delivered}))
    [(event, _, _, headers)] = world.sent
    assert (event, headers) == ("back", {}), "the broker counts a copy from the start"
    assert world.rows == [], "it is not given up as WORKER_LOST"


async def test_a_job_in_hand_when_the_session_is_lost_is_not_counted_and_a_crash_before_it_is(
    world: World, state: ServiceState
) -> None:
    world.gate.clear()
    processor = world.processor(state, SETTINGS)
    under_way = asyncio.create_task(take(processor, world.delivery(**{"x-delivery-count": 1})))
    await settled()
    processor.close()
    await take(world.processor(state, SETTINGS), world.delivery(**{"x-delivery-count": 2}))
    [(event, _, _, headers)] = world.sent
    assert (event, headers) == ("back", {HANDED_OUT_HEADER: 1})
    world.gate.set()
    await under_way
