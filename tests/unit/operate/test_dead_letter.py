"""What a parked message tells, whatever it is made of, and which are wanted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from windmill.core.messages import is_urgent
from windmill.operate.dead_letters.dead_letter import (
    DeadLetter,
    DeadLetterFilter,
    headers_to_redrive,
    headers_to_stay,
    image_id_of,
    read_dead_letter,
)

FAILED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REASONS: dict[str, Any] = {
    "windmill-code": "SERVICE_ERROR",
    "windmill-reason": "500",
    "windmill-worker": "w1",
    "windmill-failed-at": FAILED_AT.isoformat(),
    "windmill-attempt": 4,
}
BY_BROKER: dict[str, Any] = {
    "x-death": [
        {"reason": "delivery_limit", "queue": "queue_clip", "count": 1, "time": FAILED_AT},
        {"reason": "expired", "queue": "windmill.retry.5000", "count": 2, "time": FAILED_AT},
    ],
    "x-first-death-reason": "expired",
}
BODY = b'{"image_id": 17, "image_path": "/a.jpg"}'


def job(headers: dict[str, Any], body: bytes = BODY) -> DeadLetter:
    return read_dead_letter("clip", body, headers)


def test_a_worker_s_headers_are_read() -> None:
    one = job(REASONS)
    told = (one.image_id, one.code, one.reason, one.worker, one.failed_at, one.attempt, one.redriven)
    assert told == (17, "SERVICE_ERROR", "500", "w1", FAILED_AT, 4, 0)
    assert one.remedy is not None
    assert "send the failed jobs again" in one.remedy


def test_what_the_broker_parked_has_lost_its_workers() -> None:
    one = job(BY_BROKER)
    assert (one.code, one.failed_at, one.attempt) == ("WORKER_LOST", FAILED_AT, 1)
    assert one.reason == "the broker parked it: delivery_limit in queue_clip"


def test_what_only_the_broker_told_is_known_of_its_copy_too() -> None:
    copied = job(headers_to_stay(job(BY_BROKER | {"windmill-trace": "t"})))
    assert "x-death" not in copied.headers
    assert (copied.code, copied.failed_at) == ("WORKER_LOST", FAILED_AT)
    assert copied.headers["windmill-trace"] == "t"


def test_a_copy_that_stays_keeps_what_its_worker_said() -> None:
    assert headers_to_stay(job(REASONS | BY_BROKER)) == REASONS


def test_a_redriven_job_begins_anew_and_keeps_what_is_not_of_its_failure() -> None:
    counted = {"windmill-outages": 2, "windmill-handed-out": 3, "windmill-redriven": 4, "mine": "kept"}
    assert headers_to_redrive(job(REASONS | BY_BROKER | counted)) == {"windmill-redriven": 5, "mine": "kept"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-death": []},
        {"x-death": "?"},
        {"x-death": [7]},
        {"windmill-code": 7, "windmill-reason": None, "windmill-failed-at": b"\xff", "windmill-redriven": "x"},
        {"windmill-code": None, "windmill-failed-at": "yesterday"},
    ],
)
def test_headers_of_any_make_are_read_as_telling_nothing(headers: dict[str, Any]) -> None:
    one = job(headers)
    assert (one.code, one.failed_at, one.redriven, one.remedy) == (None, None, 0, None)
    headers_to_stay(one)
    assert headers_to_redrive(one)["windmill-redriven"] == 1


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[]", b"7", b'{"image_id": "17"}', b'{"image_id": true}', b"{}"])
def test_a_body_of_any_make_names_no_image(body: bytes) -> None:
    assert image_id_of(body) is None
    assert job(REASONS, body).image_id is None


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (DeadLetterFilter(), True),
        (DeadLetterFilter(codes={"SERVICE_ERROR", "BAD_RESPONSE"}), True),
        (DeadLetterFilter(codes={"BAD_RESPONSE"}), False),
        (DeadLetterFilter(image_ids={17}), True),
        (DeadLetterFilter(image_ids={18}), False),
        (DeadLetterFilter(failed_before=FAILED_AT + SECOND), True),
        (DeadLetterFilter(failed_before=FAILED_AT), False),
        (DeadLetterFilter(failed_after=FAILED_AT - SECOND), True),
        (DeadLetterFilter(failed_after=FAILED_AT), False),
        (DeadLetterFilter(codes={"SERVICE_ERROR"}, image_ids={18}), False),
    ],
)
def test_a_job_is_wanted_only_when_it_meets_every_condition(wanted: DeadLetterFilter, *, matches: bool) -> None:
    assert wanted.matches(job(REASONS)) is matches


@pytest.mark.parametrize(
    "wanted",
    [
        DeadLetterFilter(codes={"SERVICE_ERROR"}),
        DeadLetterFilter(failed_before=FAILED_AT),
        DeadLetterFilter(failed_after=FAILED_AT),
    ],
)
def test_a_job_that_does_not_tell_is_not_wanted(wanted: DeadLetterFilter) -> None:
    assert not wanted.matches(job({}))


@pytest.mark.parametrize(
    ("headers", "urgent"),
    [
        (REASONS, False),
        (REASONS | {"windmill-urgent": True}, True),
        (BY_BROKER, False),
        ({"x-death": [{"reason": "delivery_limit", "queue": "queue_clip_urgent"}]}, True),
    ],
)
def test_a_job_that_was_urgent_is_so_in_each_copy(headers: dict[str, Any], *, urgent: bool) -> None:
    one = job(headers)
    assert one.urgent is urgent
    assert is_urgent(headers_to_stay(one)) is urgent
    assert is_urgent(headers_to_redrive(one)) is urgent
    assert job(headers_to_stay(one)).urgent is urgent
