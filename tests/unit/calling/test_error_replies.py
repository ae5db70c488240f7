"""What services say when they refuse: their own words, their codes, and when to come again."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import orjson
import pytest

from tests.unit.calling.replies_said import code_of, refusal
from tests.unit.hostile_replies import CAPTURED, acceptable
from windmill.calling.reply_parser import parse_reply, parse_retry_after
from windmill.core.errors import WindmillError

HIDDEN_413 = "Internal error: 413 Request Entity Too Large: The data value transmitted exceeds the capacity limit."
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


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
