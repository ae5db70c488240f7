"""What holds for every reply that hypothesis can think of: all can read what is stored, or an error has a code."""

import json
import math
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.hostile_replies import (
    acceptable,
    answers,
    any_digits,
    any_json,
    any_text,
    damaged,
    nearly_answers,
    replies,
    steady,
)
from windmill.calling.reply_parser import parse_reply, parse_retry_after
from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.core.outcomes import Stored

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FOREIGN = frozenset({"colors", "clip"})
HEADERS = st.one_of(st.none(), st.text(max_size=40), st.integers().map(str))
statuses = st.one_of(st.just(200), st.integers(100, 599))


def settled(status: int, body: bytes, retry_after: str | None = None) -> Stored | None:
    """The answer, which is readable, or nothing, and then the refusal is fit for a log, a table and an operator."""
    try:
        stored = parse_reply(status, body, FOREIGN, retry_after, NOON)
    except WindmillError as error:
        fit_for_an_operator(error)
        return None
    assert status == 200
    acceptable(stored)
    return stored


def fit_for_an_operator(error: WindmillError) -> None:
    assert error.code in ERROR_CODES
    assert error.remedy
    assert error.retry_after is None or 0 <= error.retry_after <= 3600
    fit_for_a_line(error.message)


def fit_for_a_line(message: str) -> None:
    message.encode()
    assert len(message) < 300
    assert message.splitlines() == [message]
    assert not re.search("[\x00-\x1f\x7f-\x9f]", message)


@settings(steady, max_examples=400)
@given(statuses, st.binary(max_size=60), HEADERS)
def test_any_bytes_with_any_status_are_settled(status: int, body: bytes, retry_after: str | None) -> None:
    settled(status, body, retry_after)


@settings(steady, max_examples=300)
@given(statuses, replies(any_json))
def test_any_json_document_is_settled(status: int, body: bytes) -> None:
    settled(status, body)


@settings(steady, max_examples=250)
@given(statuses, replies(nearly_answers))
def test_an_envelope_with_wrong_types_in_any_place_is_settled(status: int, body: bytes) -> None:
    settled(status, body)


@settings(steady, max_examples=250)
@given(statuses, damaged())
def test_a_real_reply_that_was_damaged_on_its_way_is_settled(status: int, body: bytes) -> None:
    settled(status, body)


@settings(steady, max_examples=150)  # each takes 50 ms
@given(replies(answers.filter(lambda envelope: envelope.get("service") not in ("colors", "clip"))))
def test_an_envelope_that_keeps_the_contract_is_stored_whatever_values_it_holds(body: bytes) -> None:
    assert settled(200, body) is not None


@settings(steady, max_examples=150)
@given(answers)
def test_mending_changes_what_not_everyone_can_read_and_nothing_else(envelope: dict[str, Any]) -> None:
    body = json.dumps({**envelope, "spoilt": math.nan})
    assert json.loads(parse_reply(200, body.encode()).data) == readable(json.loads(body))


def readable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same value as every reader of JSON can read it."""
    match value:
        case bool() | None:
            return value
        case str():
            return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)
        case int() | float():
            return value if -sys.float_info.max <= value <= sys.float_info.max else None
        case list():
            return [readable(item) for item in value]
        case _:
            return {readable(key): readable(item) for key, item in value.items()}


@settings(steady, max_examples=200)
@given(st.lists(st.dictionaries(st.text(st.characters(min_codepoint=1, codec="utf-8"), max_size=5), st.integers(0))))
def test_a_clean_reply_is_kept_byte_for_byte(predictions: list[dict[str, int]]) -> None:
    for ascii_only in (True, False):
        text = json.dumps({"status": "success", "predictions": predictions}, ensure_ascii=ascii_only, indent=1)
        assert parse_reply(200, text.encode()).data == text


@settings(steady, max_examples=300)
@given(any_digits)
def test_a_number_is_kept_to_the_last_digit_that_a_float_holds_or_is_null(digits: str) -> None:
    for other in ("1", "NaN"):
        body = f'{{"status": "success", "predictions": [{{"number": {digits}, "other": {other}}}]}}'
        kept = orjson.loads(parse_reply(200, body.encode()).data)["predictions"][0]["number"]
        assert (None if kept is None else float(kept)) == (float(digits) if math.isfinite(float(digits)) else None)


@settings(steady, max_examples=300)
@given(
    st.sampled_from([400, 422, 500, 501]),
    st.one_of(any_json, st.fixed_dictionaries({"message": st.one_of(any_json, any_text.map(lambda text: text * 200))})),
)
def test_whatever_an_error_holds_its_message_is_one_bounded_line(status: int, error: object) -> None:
    with pytest.raises(WindmillError) as refused:
        parse_reply(status, json.dumps({"error": error}).encode())
    fit_for_a_line(refused.value.message)
    assert len(refused.value.message) > len("the service answered 500: ")


@settings(steady, max_examples=400)
@given(
    st.one_of(
        st.text(max_size=30),
        st.text("0123456789 ,:-+GMTJanFebSun()", max_size=40),
        st.lists(
            st.sampled_from(["Sun,", "06", "Nov", "1994", "0001", "08:49:37", "GMT", "+9999", "-0000", "9" * 14])
        ).map(" ".join),
    )
)
def test_any_retry_after_is_a_wait_of_at_most_an_hour_or_none(header: str) -> None:
    wait = parse_retry_after(header, NOON)
    assert wait is None or 0 <= wait <= 3600


@settings(steady, max_examples=100)
@given(st.integers(-100_000, 100_000))
def test_a_date_is_a_wait_until_then(seconds: int) -> None:
    header = (NOON + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert parse_retry_after(header, NOON) == (min(seconds, 3600) if seconds >= 0 else None)
