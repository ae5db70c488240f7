"""The judge of replies is total: an answer as text that PostgreSQL takes, or an error with a code."""

import contextlib
import time

import pytest

from tests.unit.calling.replies_said import code_of, success
from tests.unit.hostile_replies import acceptable
from windmill.calling.reply_parser import parse_reply
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Stored

CLEAN = (
    b'{"status": "success", "predictions": [{"label": "caf\xc3\xa9 \\ud83d\\ude00"}],'
    b' "metadata": {"processing_time": 0.131}}'
)


def test_a_clean_reply_is_kept_byte_for_byte_with_its_time() -> None:
    assert parse_reply(200, CLEAN) == Stored(CLEAN.decode(), 0.131)


def test_an_empty_list_of_predictions_is_an_answer() -> None:
    assert acceptable(parse_reply(200, success("[]")))["predictions"] == []


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (201, "BAD_RESPONSE", "later"),
        (204, "BAD_RESPONSE", "later"),
        (302, "BAD_RESPONSE", "later"),
        (400, "SERVICE_REJECTED", "never"),
        (401, "SERVICE_UNREACHABLE", "pause"),
        (403, "SERVICE_UNREACHABLE", "pause"),
        (404, "SERVICE_UNREACHABLE", "pause"),
        (405, "SERVICE_UNREACHABLE", "pause"),
        (407, "SERVICE_UNREACHABLE", "pause"),
        (408, "SERVICE_TIMEOUT", "later"),
        (413, "IMAGE_TOO_LARGE", "never"),
        (415, "SERVICE_REJECTED", "never"),
        (429, "SERVICE_OVERLOADED", "pause"),
        (500, "SERVICE_ERROR", "later"),
        (501, "SERVICE_ERROR", "later"),
        (502, "SERVICE_UNREACHABLE", "later"),
        (503, "SERVICE_OVERLOADED", "pause"),
        (504, "SERVICE_TIMEOUT", "later"),
        (599, "SERVICE_ERROR", "later"),
    ],
)
def test_every_status_but_200_has_its_code_whatever_the_body(status: int, code: str, retry: str) -> None:
    for body in (CLEAN, b"", b"<html>", b'{"error": {"message": "no"}}', b'{"error": "no"}', b"\xff\x00"):
        assert code_of(status, body) == (code, retry)


BAD_ANSWERS = {
    "empty": b"",
    "HTML": b"<!doctype html><title>404</title>",
    "cut": CLEAN[:-5],
    "two documents": CLEAN + CLEAN,
    "a trailing NUL": CLEAN + b"\x00",
    "a raw NUL in a text": CLEAN.replace(b"caf", b"\x00"),
    "invalid UTF-8": CLEAN.replace(b"\xc3\xa9", b"\xff"),
    "a list": b"[]",
    "null": b"null",
    "a number": b"1",
    "text": b'"success"',
    "NaN alone": b"NaN",
    "no predictions": b'{"status": "success"}',
    "predictions an object": success("{}"),
    "predictions null": success("null"),
    "predictions text": success('"[]"'),
    "a prediction that is a text": success('["cat"]'),
    "a prediction that is null among good ones": success('[{"label": "cat"}, null]'),
    "a prediction that is a list": success('[{"label": "cat"}, [1]]'),
    "no status": b'{"predictions": []}',
    "a status of another type": b'{"status": 1, "predictions": []}',
    "a status that is an object": b'{"status": {}, "predictions": []}',
    "a status of another spelling": b'{"status": "SUCCESS", "predictions": []}',
    "the health of another program": b'{"status": "ok"}',
    "brackets 100 thousand deep": b"[" * 100_000,
    "closed brackets 100 thousand deep": success("[" * 100_000 + "]" * 100_000),
    "objects 100 thousand deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN 300 deep": success("[" * 300 + "NaN" + "]" * 300),
    "NaN 600 deep": success("[" * 600 + "NaN" + "]" * 600),
    "single quotes": b"{'status': 'success', 'predictions': []}",
    "only spaces": b"   \r\n",
}


@pytest.mark.parametrize("body", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_200_that_is_not_the_contract_is_a_bad_response(body: bytes) -> None:
    assert code_of(200, body) == ("BAD_RESPONSE", "later")


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "error", "predictions": [], "error": {"message": "no model"}}',
        b'{"status": "error", "predictions": [], "error": "no model"}',
        b'{"status": "error"}',
        b'{"status": "error", "predictions": null}',
        b'{"status": "success", "status": "error", "predictions": []}',
        b'{"status": "error", "predictions": [NaN]}',
        b'{"status": "error", "predictions": [], "error": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    ],
)
def test_a_200_that_says_error_is_an_error_of_the_service(body: bytes) -> None:
    assert code_of(200, body) == ("SERVICE_ERROR", "later")


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ("[NaN, Infinity, -Infinity, 1]", [None, None, None, 1]),
        ('["a\\u0000b"]', ["a\ufffdb"]),
        ('[{"a\\u0000": 1}]', [{"a\ufffd": 1}]),
        ('["\\ud800", "\\udfff", "x\\ud83dy"]', ["\ufffd", "\ufffd", "x\ufffdy"]),
        ('[{"\\ud800": 1}]', [{"\ufffd": 1}]),
        ('["\\ud83d\\ude00", NaN]', ["😀", None]),
        ('["\\\\u0000"]', ["\\u0000"]),
        ('["\\\\u0000", NaN]', ["\\u0000", None]),
        ("[1e400, -1e400, 1e99999999999]", [None, None, None]),
        (f"[{'9' * 5000}, -{'9' * 400}, 1]", [None, None, 1]),
        ("[1e-20000, 0e99999, 2.5]", [0.0, 0.0, 2.5]),
        (f"[0.{'3' * 20_000}]", [1 / 3]),
    ],
)
def test_what_not_every_reader_of_json_can_read_is_mended(values: str, kept: list[object]) -> None:
    assert acceptable(parse_reply(200, success(f'[{{"values": {values}}}]')))["predictions"] == [{"values": kept}]


def test_a_byte_order_mark_other_encodings_and_surrogates_in_utf_8_are_mended() -> None:
    body = success('[{"label": "x"}]')
    for written in (b"\xef\xbb\xbf" + body, *map(body.decode().encode, ("utf-16", "utf-16-le", "utf-32-be"))):
        assert acceptable(parse_reply(200, written))["predictions"] == [{"label": "x"}]
    surrogate = body.replace(b"x", b"\xed\xa0\x80")
    assert acceptable(parse_reply(200, surrogate))["predictions"] == [{"label": "\ufffd"}]


@pytest.mark.parametrize("digits", ["1e300", "123456789012345678901234567890", "-0.0", "1e-400", "9" * 308])
def test_a_number_within_the_range_of_floats_keeps_its_digits(digits: str) -> None:
    body = success(f'[{{"number": {digits}}}]')
    acceptable(parse_reply(200, body))
    assert parse_reply(200, body).data == body.decode()


@pytest.mark.parametrize("digits", ["123456789012345678901234567890", "-18446744073709551616", "9" * 308])
def test_a_whole_number_that_no_machine_holds_keeps_its_digits_beside_nan(digits: str) -> None:
    stored = parse_reply(200, success(f'[{{"number": {digits}, "other": NaN}}]'))
    acceptable(stored)
    assert f'"number":{digits},"other":null' in stored.data


def test_of_a_key_that_stands_twice_the_last_counts_as_it_does_in_postgresql() -> None:
    assert acceptable(parse_reply(200, b'{"status": "error", "status": "success", "predictions": []}'))
    for other in (b"1", b"NaN"):
        body = b'{"status": "success", "status": "error", "predictions": [], "other": ' + other + b"}"
        assert code_of(200, body) == ("SERVICE_ERROR", "later")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 4_000_000,
        b" " * 4_000_000,
        b'"' + b"\\" * 4_000_000,
        success('[{"a": ' + "9" * 4_000_000 + "}]"),
        success('[{"a": NaN, "b": 0.' + "3" * 4_000_000 + "}]"),
        success('[{"a": 1e' + "9" * 4_000_000 + "}]"),
        success('[{"a": "' + ("1" * 4_999 + " ") * 800 + '"}]'),
        success('[{"a": "' + "\\ud800\\u0000" * 300_000 + '"}]'),
    ],
    ids=range(8),
)
def test_megabytes_that_are_made_to_be_slow_are_judged_in_a_moment(body: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(WindmillError):
        parse_reply(200, body)
    with contextlib.suppress(WindmillError):
        parse_reply(500, body)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("0.0", 0.0),
        ("12", 12.0),
        ("0.131", 0.131),
        ("-1", None),
        ("1e300", None),
        ("1e400", None),
        ("9" * 30, None),
        ("NaN", None),
        ("Infinity", None),
        ("true", None),
        ("null", None),
        ('"0.5"', None),
        ("[1]", None),
    ],
)
def test_a_time_that_cannot_be_believed_is_no_time_and_spoils_nothing(said: str, seconds: float | None) -> None:
    assert parse_reply(200, success("[]", said)).processing_time == seconds


@pytest.mark.parametrize("metadata", ["null", "[]", "5", '"x"', "{}"])
def test_metadata_of_another_shape_spoils_nothing(metadata: str) -> None:
    body = f'{{"status": "success", "predictions": [], "metadata": {metadata}}}'.encode()
    assert parse_reply(200, body).processing_time is None
