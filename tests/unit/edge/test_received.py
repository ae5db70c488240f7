"""A delivery is read once: what its body and headers tell is told by one value."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.world import JOB
from windmill.core.messages import ATTEMPT_HEADER, HANDED_OUT_HEADER, OUTAGES_HEADER, Past, encode
from windmill.edge.received import Envelope, Received, UnreadableMessage, envelope, receive

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_job_without_headers_has_no_past() -> None:
    received = receive(encode(JOB), {}, False, NOW)
    assert received == Received(encode(JOB), Envelope({}, Past(), 0, False), JOB)
    assert received.envelope.unchanged() == received.envelope.kept() == {}


def test_what_the_headers_tell_is_told_of_a_job_and_of_what_is_none() -> None:
    headers = {ATTEMPT_HEADER: 3, OUTAGES_HEADER: 2, "x-delivery-count": 1, HANDED_OUT_HEADER: 4}
    for body, kind in ((encode(JOB), Received), (b"no job", UnreadableMessage)):
        received = receive(body, headers, True, NOW)
        assert isinstance(received, kind)
        assert (received.body, received.envelope) == (body, Envelope(headers, Past(3, 2), 5, False))


def test_what_is_no_job_says_why() -> None:
    received = receive(b"[]", {}, False, NOW)
    assert isinstance(received, UnreadableMessage)
    assert received.message == "the body is not a JSON object"


def test_a_job_that_does_not_say_when_it_was_submitted_was_when_it_came() -> None:
    received = receive(b'{"image_id": 1, "image_path": "/a.jpg"}', {}, False, NOW)
    assert isinstance(received, Received)
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
def test_a_copy_says_how_often_the_job_was_handed_out_also_where_the_queue_does_not_count(
    headers: dict[str, Any], redelivered: bool, uncounted: bool, unchanged: dict[str, Any]
) -> None:
    read = envelope(headers, redelivered)
    assert (read.uncounted, read.unchanged()) == (uncounted, unchanged)
