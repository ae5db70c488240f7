"""What cannot be read, written or published, and bugs of ours: who is charged, and what is parked."""

import asyncio
import logging
from dataclasses import replace

import pytest

from tests.unit.edge.delivery.delivery_scene import failing
from tests.unit.world import JOB, World, take
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, DataRefused, WindmillError
from windmill.core.messages import (
    ATTEMPT_HEADER,
    encode,
)
from windmill.edge.delivery_processor import DeliveryProcessor


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
