"""The message that travels through the queues."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from windmill.core.errors import WindmillError
from windmill.core.messages import (
    ATTEMPT_HEADER,
    HANDED_OUT_HEADER,
    MAX_BYTES,
    MAX_RECEIVED_BYTES,
    OUTAGES_HEADER,
    UNREADABLE_URL,
    Job,
    decode,
    delivery_count,
    encode,
    headers_to_keep,
    history_of,
)

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
JOB = Job(17, "17.jpg", "/pictures/17.jpg", None, datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC), "trace")
GOOD = {"image_id": 17, "image_path": "/pictures/17.jpg"}


@pytest.mark.parametrize(
    "job",
    [
        JOB,
        replace(JOB, image_id=2**63 - 1),
        replace(JOB, image_id=1, trace_id=None),
        replace(JOB, image_path=None, image_url="https://example.com/a b?x=1&y=ü"),
        replace(JOB, image_filename='"quoted" \\ 😀.jpg'),
    ],
)
def test_a_job_comes_out_as_it_went_in(job: Job) -> None:
    assert decode(encode(job), NOW) == job


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:sesame@example.com:8080/a.jpg?sig=x#y", "https://example.com:8080/a.jpg"),
        ("http://user:sesame@[::1", UNREADABLE_URL),
        ("http://user:sesame@ex\u2100mple.com", UNREADABLE_URL),
        ("http://user:sesame", UNREADABLE_URL),
        ("http://user:ses/ame@example.com/", UNREADABLE_URL),
        ("user:sesame@example.com", UNREADABLE_URL),
    ],
)
def test_where_an_image_is_can_always_be_told_and_tells_no_password(url: str, shown: str) -> None:
    assert replace(JOB, image_path=None, image_url=url).location == shown


def test_the_body_says_its_schema_and_carries_no_pixels() -> None:
    body = encode(JOB)
    assert orjson.loads(body)["schema"] == 1
    assert len(body) < 300


def test_a_message_of_an_older_producer_has_defaults_for_what_it_lacks() -> None:
    assert decode(orjson.dumps(GOOD), NOW) == Job(17, "", "/pictures/17.jpg", None, NOW, None)


def test_unknown_keys_are_ignored() -> None:
    assert decode(orjson.dumps({**GOOD, "schema": 9, "priority": {"a": [1]}}), NOW).image_id == 17


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5+02:00", datetime(2026, 1, 2, 1, 4, 5, 500_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc_unless_it_names_its_zone(text: str, moment: datetime) -> None:
    assert decode(orjson.dumps({**GOOD, "submitted_at": text}), NOW).submitted_at == moment


def test_a_time_of_another_zone_is_sent_and_read_back_as_the_same_moment() -> None:
    there = replace(JOB, submitted_at=JOB.submitted_at.astimezone(timezone(timedelta(hours=-5))))
    assert decode(encode(there), NOW).submitted_at == JOB.submitted_at


BAD_BODIES = {
    "empty": b"",
    "no JSON": b"image 17",
    "cut": b'{"image_id": 17, "image_pa',
    "invalid UTF-8": b'{"image_id": 17, "image_path": "\xff"}',
    "lone surrogate": b'{"image_id": 17, "image_path": "\\ud800"}',
    "NaN": b'{"image_id": NaN, "image_path": "a"}',
    "a list": b"[17]",
    "a number": b"17",
    "null": b"null",
    "text": b'"17"',
    "a deep list": b"[" * 100_000,
    "no image_id": b'{"image_path": "a"}',
    "image_id null": b'{"image_id": null, "image_path": "a"}',
    "image_id text": b'{"image_id": "17", "image_path": "a"}',
    "image_id true": b'{"image_id": true, "image_path": "a"}',
    "image_id fraction": b'{"image_id": 17.0, "image_path": "a"}',
    "image_id zero": b'{"image_id": 0, "image_path": "a"}',
    "image_id negative": b'{"image_id": -1, "image_path": "a"}',
    "image_id beyond bigint": b'{"image_id": 9223372036854775808, "image_path": "a"}',
    "image_id enormous": b'{"image_id": ' + b"9" * 400 + b', "image_path": "a"}',
    "image_id a deep list": b'{"image_path": "a", "image_id": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "neither path nor URL": b'{"image_id": 17}',
    "path and URL empty": b'{"image_id": 17, "image_path": "", "image_url": ""}',
    "path a number": b'{"image_id": 17, "image_path": 5}',
    "path a deep list": b'{"image_id": 17, "image_path": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    "path with NUL": b'{"image_id": 17, "image_path": "a\\u0000b"}',
    "trace_id with NUL": b'{"image_id": 17, "image_path": "a", "trace_id": "\\u0000"}',
    "URL a list": b'{"image_id": 17, "image_url": ["http://x"]}',
    "filename a number": b'{"image_id": 17, "image_path": "a", "image_filename": 5}',
    "trace_id an object": b'{"image_id": 17, "image_path": "a", "trace_id": {}}',
    "time no time": b'{"image_id": 17, "image_path": "a", "submitted_at": "yesterday"}',
    "time a number": b'{"image_id": 17, "image_path": "a", "submitted_at": 1767225600}',
    "time before the calendar": b'{"image_id": 17, "image_path": "a", "submitted_at": "0001-01-01T00:00:00+23:59"}',
    "time after the calendar": b'{"image_id": 17, "image_path": "a", "submitted_at": "9999-12-31T23:59:59-23:59"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_what_is_not_a_job_is_a_bad_message_told_in_few_words(body: bytes) -> None:
    with pytest.raises(WindmillError) as refused:
        decode(body, NOW)
    assert refused.value.code == "BAD_MESSAGE"
    assert refused.value.retry == "never"
    assert len(refused.value.message) < 300


def test_a_message_far_larger_than_any_of_ours_is_no_job() -> None:
    body = b'{"image_id": 1, "image_path": "/%s"}' % (b"x" * MAX_RECEIVED_BYTES)
    with pytest.raises(WindmillError, match="bytes, over 65536") as caught:
        decode(body, datetime.now(UTC))
    assert caught.value.code == "BAD_MESSAGE"


def test_a_message_that_is_no_small_reference_is_not_sent() -> None:
    fits = replace(JOB, image_path="x" * (MAX_BYTES - len(encode(replace(JOB, image_path="")))))
    assert len(encode(fits)) == MAX_BYTES
    with pytest.raises(WindmillError, match=r"image 17 makes a message of 4097 bytes, over 4096") as refused:
        encode(replace(fits, image_path=f"{fits.image_path}x"))
    assert refused.value.code == "BAD_MESSAGE"


@pytest.mark.parametrize(
    ("headers", "attempt"),
    [
        ({}, 1),
        ({ATTEMPT_HEADER: 1}, 1),
        ({ATTEMPT_HEADER: 4}, 4),
        ({ATTEMPT_HEADER: 0}, 1),
        ({ATTEMPT_HEADER: -3}, 1),
        ({ATTEMPT_HEADER: "2"}, 1),
        ({ATTEMPT_HEADER: None}, 1),
        ({ATTEMPT_HEADER: 2.0}, 1),
        ({"x-death": [{"count": 7}]}, 1),
    ],
)
def test_the_attempt_is_our_own_header_and_1_when_that_makes_no_sense(headers: dict[str, object], attempt: int) -> None:
    assert history_of(headers).attempt == attempt


NONSENSE = [0, -3, "2", None, 2.0, [1], b"\xff", 2**31, 2**63 - 1, 2**100]


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_a_count_that_makes_no_sense_is_none(value: object) -> None:
    """Most of all one so great that one more would fit into no header and no column."""
    assert history_of({ATTEMPT_HEADER: value}).attempt == 1
    assert history_of({OUTAGES_HEADER: value}).outages == 0
    assert delivery_count({HANDED_OUT_HEADER: value, "x-delivery-count": value}) == 0


@pytest.mark.parametrize(
    ("headers", "times"),
    [
        ({}, 0),
        ({"x-delivery-count": 2}, 2),
        ({HANDED_OUT_HEADER: 3}, 3),
        ({"x-delivery-count": 2, HANDED_OUT_HEADER: 3}, 5),
        ({"x-delivery-count": "many", HANDED_OUT_HEADER: 3}, 3),
        ({"x-death": [{"count": 7}]}, 0),
    ],
)
def test_how_often_a_job_was_handed_out_is_the_brokers_count_and_our_own(
    headers: dict[str, object], times: int
) -> None:
    assert delivery_count(headers) == times


def test_outages_are_counted_in_a_header_of_ours() -> None:
    assert (history_of({}).outages, history_of({OUTAGES_HEADER: 4}).outages) == (0, 4)


def test_headers_that_the_broker_would_act_on_are_not_sent_again() -> None:
    headers = {"x-death": [], "x-delivery-count": 3, "CC": ["queue_clip"], "BCC": ["q"], ATTEMPT_HEADER: 2, "mine": "x"}
    assert headers_to_keep(headers) == {ATTEMPT_HEADER: 2, "mine": "x"}
    assert "x-death" in headers, "the delivery itself is left as it is"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("mine", "text", True),
        ("mine", -(2**63), True),
        ("mine", 1.5, True),
        ("mine", True, True),
        ("mine", 2**63, False),
        ("mine", 1e39, False),
        ("mine", b"\xff", False),
        ("x-mine", "text", False),
        ("CC", "queue_clip", False),
        ("BCC", "queue_clip", False),
    ],
)
def test_a_header_is_kept_when_it_is_harmless_and_can_be_written(name: str, value: object, kept: bool) -> None:
    assert (name in headers_to_keep({name: value})) is kept
