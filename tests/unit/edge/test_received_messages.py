"""Parsing a delivery: body and headers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.world import JOB
from windmill.core.messages import ATTEMPT_HEADER, HANDED_OUT_HEADER, OUTAGES_HEADER, History, encode
from windmill.edge.received_messages import Envelope, ReceivedJob, UnreadableMessage, read_delivery, read_envelope

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_job_without_headers_has_no_history() -> None:
    received = read_delivery(encode(JOB), {}, False, NOW)
    assert received == ReceivedJob(encode(JOB), Envelope({}, History(), 0, False), JOB)
    assert received.envelope.requeue_headers() == received.envelope.headers_to_keep() == {}


def test_headers_are_parsed_for_jobs_and_unreadable_messages() -> None:
    headers = {ATTEMPT_HEADER: 3, OUTAGES_HEADER: 2, "x-delivery-count": 1, HANDED_OUT_HEADER: 4}
    for body, kind in ((encode(JOB), ReceivedJob), (b"no job", UnreadableMessage)):
        received = read_delivery(body, headers, True, NOW)
        assert isinstance(received, kind)
        assert (received.body, received.envelope) == (body, Envelope(headers, History(3, 2), 5, False))


def test_an_unreadable_message_has_the_reason() -> None:
    received = read_delivery(b"[]", {}, False, NOW)
    assert isinstance(received, UnreadableMessage)
    assert received.message == "the body is not a JSON object"


def test_a_job_without_submission_time_gets_its_arrival_time() -> None:
    received = read_delivery(b'{"image_id": 1, "image_path": "/a.jpg"}', {}, False, NOW)
    assert isinstance(received, ReceivedJob)
    assert received.job.submitted_at == NOW


@pytest.mark.parametrize(
    ("headers", "redelivered", "uncounted", "unchanged"),
    [
        ({}, False, False, {}),
        ({}, True, True, {HANDED_OUT_HEADER: 1}),
        ({HANDED_OUT_HEADER: 2}, True, True, {HANDED_OUT_HEADER: 3}),
        ({"x-delivery-count": 1}, True, False, {HANDED_OUT_HEADER: 1}),
        ({"x-delivery-count": 1, HANDED_OUT_HEADER: 2}, True, False, {HANDED_OUT_HEADER: 3}),
        ({"x-delivery-count": 1, "mine": 5}, True, False, {HANDED_OUT_HEADER: 1, "mine": 5}),
    ],
)
def test_a_copy_carries_the_delivery_count_even_if_the_queue_does_not_count(
    headers: dict[str, Any], redelivered: bool, uncounted: bool, unchanged: dict[str, Any]
) -> None:
    read = read_envelope(headers, redelivered)
    assert (read.uncounted, read.requeue_headers()) == (uncounted, unchanged)
