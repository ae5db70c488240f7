"""The judge of replies is total: an answer as text that PostgreSQL takes, or an error with a code."""

import contextlib
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import orjson
import pytest

from tests.unit.hostile_replies import CAPTURED, acceptable
from windmill.calling.reply_parser import parse_reply, parse_retry_after
from windmill.core.errors import WindmillError
from windmill.core.outcomes import Stored

CLEAN = (
    b'{"status": "success", "predictions": [{"label": "caf\xc3\xa9 \\ud83d\\ude00"}],'
    b' "metadata": {"processing_time": 0.131}}'
)
HIDDEN_413 = "Internal error: 413 Request Entity Too Large: The data value transmitted exceeds the capacity limit."
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def success(predictions: str, processing_time: str = "0.5") -> bytes:
    return (
        f'{{"status": "success", "predictions": {predictions}, "metadata": {{"processing_time": {processing_time}}}}}'
    ).encode()


def refusal(status: int, body: bytes, foreign: frozenset[str] = frozenset()) -> WindmillError:
    with pytest.raises(WindmillError) as refused:
        parse_reply(status, body, foreign)
    return refused.value


def code_of(status: int, body: bytes) -> tuple[str, str]:
    error = refusal(status, body)
    return error.code, error.retry


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


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"error": "Internal server error", "status": "error"}', "Internal server error"),
        (b'{"error": {"message": 5}}', '{"error": {"message": 5}}'),
        (b'{"error": ["no", 1]}', '{"error": ["no", 1]}'),
        (b'{"error": 5}', '{"error": 5}'),
        (b'{"error": null}', '{"error": null}'),
        (b'{"error": " "}', '{"error": " "}'),
        (b'["error"]', '["error"]'),
        (b'{"error": "red \\u001b[31m \\u202eback\\u0000"}', "red \ufffd[31m \ufffdback\ufffd"),
        (b'{"error": {}}', '{"error": {}}'),
        (b"<html>\n  <b>gone</b>", "<html> <b>gone</b>"),
        (b"", "an empty body"),
        (b"\xff\x00!", "\ufffd\ufffd!"),
    ],
)
def test_an_error_repeats_the_services_own_words(body: bytes, words: str) -> None:
    with pytest.raises(WindmillError) as refused:
        parse_reply(500, body)
    assert refused.value.message == f"the service answered 500: {words}"


def test_the_words_of_a_service_are_cut_to_a_line() -> None:
    with pytest.raises(WindmillError) as refused:
        parse_reply(500, orjson.dumps({"error": {"message": "é\n" * 100_000}}))
    assert len(refused.value.message) < 300
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.stem)
def test_every_captured_reply_of_a_service_is_judged_by_its_status(path: Path) -> None:
    captured = orjson.loads(path.read_bytes())
    body = orjson.dumps(captured["body"])
    if captured["status"] == 200 and "predictions" in captured["body"]:
        assert acceptable(parse_reply(200, body)) == captured["body"]
    else:
        code_of(captured["status"], body)


@pytest.mark.parametrize("name", ["blip", "clip", "detectron2", "inception_v3", "yolov8"])
def test_a_413_inside_a_500_is_an_image_that_is_too_large(name: str) -> None:
    (path,) = (path for path in CAPTURED if path.stem == f"{name}.oversize")
    captured = orjson.loads(path.read_bytes())
    assert captured["status"] == 500
    assert code_of(500, orjson.dumps(captured["body"])) == ("IMAGE_TOO_LARGE", "never")


@pytest.mark.parametrize(
    ("status", "message"),
    [(500, "could not fetch it: 413 Request Entity Too Large"), (500, "Internal error: 4130"), (501, HIDDEN_413)],
)
def test_a_413_that_is_not_the_servers_own_is_an_error_of_the_service(status: int, message: str) -> None:
    assert code_of(status, orjson.dumps({"error": {"message": message}})) == ("SERVICE_ERROR", "later")


def test_who_is_refused_by_something_in_front_is_told_what_to_do() -> None:
    error = refusal(403, b"<html>forbidden")
    assert error.message == "something in front of the service denies access to workers: it answered 403"
    assert "proxy" in error.remedy


FOREIGN = frozenset({"colors", "blip2"})


@pytest.mark.parametrize("name", sorted(FOREIGN))
@pytest.mark.parametrize("said", ['"success"', '"error"', "null"])
def test_an_answer_of_another_service_is_not_stored_and_spoils_no_job(name: str, said: str) -> None:
    body = f'{{"service": "{name}", "status": {said}, "predictions": []}}'.encode()
    for status in (200, 400, 500):
        error = refusal(status, body, FOREIGN)
        assert (error.code, error.retry) == ("BAD_RESPONSE", "pause")
        assert error.message == f"{name} answers at this address"
        assert error.remedy.startswith("correct the ports")


@pytest.mark.parametrize("name", ['"clip"', '"Colors"', '"yolo11"', '""', "null", "5", '["colors"]', '{"colors": 1}'])
def test_an_answer_under_any_name_that_is_not_anothers_is_stored(name: str) -> None:
    assert parse_reply(200, f'{{"service": {name}, "status": "success", "predictions": []}}'.encode(), FOREIGN)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("Thu, 01 Jan 2026 12:01:30 GMT", 90), ("soon", None), ("", None), (None, None)],
)
def test_an_overloaded_service_may_say_when_to_come_again(
    status: int, header: str | None, seconds: float | None
) -> None:
    with pytest.raises(WindmillError) as refused:
        parse_reply(status, b"", frozenset(), header, NOON)
    assert refused.value.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("Thu, 01 Jan 2026 12:00:00 GMT", 0),
        ("Thursday, 01-Jan-26 12:00:10 GMT", 10),
        ("Thu Jan  1 12:00:10 2026", 10),
        ("Thu, 01 Jan 2026 14:00:10 +0200", 10),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 3600),
        ("Thu, 01 Jan 2026 11:59:59 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("²", None),
        ("soon", None),
        ("\x00\ud800", None),
        ("Nov 99999999999999 08:49:37 99999999999999 GMT 8", None),
    ],
)
def test_a_retry_after_is_a_number_of_seconds_or_a_date_and_never_over_an_hour(
    header: str, seconds: float | None
) -> None:
    assert parse_retry_after(header, NOON) == seconds
    assert parse_retry_after(header, NOON.astimezone(timezone(timedelta(hours=9)))) == seconds
