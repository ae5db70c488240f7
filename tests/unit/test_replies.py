"""The judge of replies is total: an answer as text that PostgreSQL takes, or an error with a code."""

import json
import random
import string
from pathlib import Path
from typing import Any

import orjson
import pytest

from windmill.errors import WindmillError
from windmill.outcomes import Stored
from windmill.replies import judge
from windmill.settings import ROOT

CLEAN = (
    b'{"status": "success", "predictions": [{"label": "caf\xc3\xa9 \\ud83d\\ude00"}],'
    b' "metadata": {"processing_time": 0.131}}'
)
CAPTURED = sorted((ROOT / "tests" / "conformance" / "replies").glob("*.json"))


def success(predictions: str, processing_time: str = "0.5") -> bytes:
    return (
        f'{{"status": "success", "predictions": {predictions}, "metadata": {{"processing_time": {processing_time}}}}}'
    ).encode()


def code_of(status: int, body: bytes) -> tuple[str, str]:
    with pytest.raises(WindmillError) as refused:
        judge(status, body)
    return refused.value.code, refused.value.retry


def acceptable(stored: Stored) -> Any:  # noqa: ANN401 - any JSON document
    """Check what PostgreSQL and everyone after it relies on, and return the document."""
    document = orjson.loads(stored.data)
    for text in texts(document):
        assert "\x00" not in text
    stored.data.encode()
    assert stored.processing_time is None or 0 <= stored.processing_time < 1e7
    return document


def texts(value: object) -> list[str]:
    found, left = [], [value]
    while left:
        match left.pop():
            case str() as text:
                found.append(text)
            case list() as items:
                left += items
            case dict() as mapping:
                left += [*mapping.keys(), *mapping.values()]
    return found


def test_a_clean_reply_is_kept_byte_for_byte_with_its_time() -> None:
    assert judge(200, CLEAN) == Stored(CLEAN.decode(), 0.131)


def test_an_empty_list_of_predictions_is_an_answer() -> None:
    assert acceptable(judge(200, success("[]")))["predictions"] == []


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (201, "BAD_RESPONSE", "later"),
        (204, "BAD_RESPONSE", "later"),
        (302, "BAD_RESPONSE", "later"),
        (400, "SERVICE_REJECTED", "never"),
        (401, "SERVICE_REJECTED", "never"),
        (404, "SERVICE_UNREACHABLE", "pause"),
        (405, "SERVICE_UNREACHABLE", "pause"),
        (413, "IMAGE_TOO_LARGE", "never"),
        (415, "SERVICE_REJECTED", "never"),
        (429, "SERVICE_OVERLOADED", "pause"),
        (500, "SERVICE_ERROR", "later"),
        (502, "SERVICE_ERROR", "later"),
        (503, "SERVICE_OVERLOADED", "pause"),
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
    "brackets 100 thousand deep": b"[" * 100_000,
    "closed brackets 100 thousand deep": success("[" * 100_000 + "]" * 100_000),
    "objects 100 thousand deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "NaN 600 deep": success("[" * 600 + "NaN" + "]" * 600),
    "single quotes": b"{'status': 'success', 'predictions': []}",
    "a number of 100 thousand digits beside NaN": success("[NaN, " + "9" * 100_000 + "]"),
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
        b'{"predictions": []}',
        b'{"status": 1, "predictions": []}',
        b'{"status": "SUCCESS", "predictions": []}',
        b'{"status": "success", "status": "error", "predictions": []}',
        b'{"status": "error", "predictions": [NaN]}',
        b'{"status": "error", "predictions": [], "error": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    ],
)
def test_a_200_that_does_not_say_success_is_an_error_of_the_service(body: bytes) -> None:
    assert code_of(200, body) == ("SERVICE_ERROR", "later")


@pytest.mark.parametrize(
    ("predictions", "kept"),
    [
        ("[NaN, Infinity, -Infinity, 1]", [None, None, None, 1]),
        ('["a\\u0000b"]', ["a\ufffdb"]),
        ('[{"a\\u0000": 1}]', [{"a\ufffd": 1}]),
        ('["\\ud800", "\\udfff", "x\\ud83dy"]', ["\ufffd", "\ufffd", "x\ufffdy"]),
        ('["\\ud83d\\ude00", NaN]', ["😀", None]),
        ('["\\\\u0000"]', ["\\u0000"]),
        ('["\\\\u0000", NaN]', ["\\u0000", None]),
    ],
)
def test_what_is_json_to_python_alone_is_mended(predictions: str, kept: list[object]) -> None:
    assert acceptable(judge(200, success(predictions)))["predictions"] == kept


def test_a_byte_order_mark_and_surrogates_in_utf_8_are_mended() -> None:
    assert acceptable(judge(200, b"\xef\xbb\xbf" + success('["x"]')))["predictions"] == ["x"]
    assert acceptable(judge(200, success('["S"]').replace(b"S", b"\xed\xa0\x80")))["predictions"] == ["\ufffd"]


def test_numbers_of_any_size_are_kept() -> None:
    for number in ("1e300", "123456789012345678901234567890", "-0.0", "1e-400"):
        acceptable(judge(200, success(f"[{number}]")))


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
    assert judge(200, success("[]", said)).processing_time == seconds


@pytest.mark.parametrize("metadata", ["null", "[]", "5", '"x"', "{}"])
def test_metadata_of_another_shape_spoils_nothing(metadata: str) -> None:
    body = f'{{"status": "success", "predictions": [], "metadata": {metadata}}}'.encode()
    assert judge(200, body).processing_time is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"error": "Internal server error", "status": "error"}', "Internal server error"),
        (b'{"error": {"message": 5}}', '{"error": {"message": 5}}'),
        (b'{"error": {}}', '{"error": {}}'),
        (b"<html>\n  <b>gone</b>", "<html> <b>gone</b>"),
        (b"", "an empty body"),
        (b"\xff\x00!", "\ufffd\ufffd!"),
    ],
)
def test_an_error_repeats_the_services_own_words(body: bytes, words: str) -> None:
    with pytest.raises(WindmillError) as refused:
        judge(500, body)
    assert refused.value.message == f"the service answered 500: {words}"


def test_the_words_of_a_service_are_cut_to_a_line() -> None:
    with pytest.raises(WindmillError) as refused:
        judge(500, orjson.dumps({"error": {"message": "é\n" * 100_000}}))
    assert len(refused.value.message) < 300
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("path", CAPTURED, ids=lambda path: path.stem)
def test_every_captured_reply_of_a_service_is_judged_by_its_status(path: Path) -> None:
    captured = orjson.loads(path.read_bytes())
    body = orjson.dumps(captured["body"])
    if captured["status"] == 200 and "predictions" in captured["body"]:
        assert acceptable(judge(200, body)) == captured["body"]
    else:
        code_of(captured["status"], body)


ALPHABET = [*string.ascii_letters, "\x00", "\ud800", "\udfff", "😀", "é", "\\", '"', "\n", "\u2028", "\x7f"]


def any_value(dice: random.Random, depth: int) -> object:
    kind = dice.randrange(10 if depth else 7)
    if kind < 2:
        return "".join(dice.choices(ALPHABET, k=dice.randrange(8)))
    if kind == 2:
        return dice.choice([float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, -0.0, dice.random()])
    if kind == 3:
        return dice.choice([0, -1, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, dice.randrange(1000)])
    if kind < 7:
        return dice.choice([None, True, False])
    if kind < 9:
        return [any_value(dice, depth - 1) for _ in range(dice.randrange(5))]
    return {"".join(dice.choices(ALPHABET, k=3)): any_value(dice, depth - 1) for _ in range(dice.randrange(5))}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_document_a_service_makes_up_the_judge_answers_or_refuses(seed: int) -> None:
    dice = random.Random(seed)
    answered = 0
    for _ in range(50):
        document = {
            "status": dice.choice(["success", "success", "error", any_value(dice, 1)]),
            "predictions": dice.choice([[any_value(dice, 4)], [any_value(dice, 4)], any_value(dice, 4)]),
            "metadata": dice.choice([{"processing_time": any_value(dice, 1)}, any_value(dice, 2)]),
            "error": any_value(dice, 2),
        }
        body = json.dumps(document, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
        try:
            acceptable(judge(dice.choice([200, 200, 200, 400, 500]), body))
            answered += 1
        except WindmillError as error:
            str(error).encode()
    assert answered


@pytest.mark.parametrize("seed", range(20))
def test_whatever_bytes_arrive_the_judge_answers_or_refuses(seed: int) -> None:
    dice, refusals = random.Random(seed), []
    for _ in range(100):
        body = bytearray(dice.choice([CLEAN, success('["\\u0000", NaN, 1e5, "\\ud800"]'), dice.randbytes(60)]))
        for _ in range(dice.randrange(1, 6)):
            body[dice.randrange(len(body))] = dice.choice([0, 0x22, 0x5C, 0x7B, 0xED, 0xFF, dice.randrange(256)])
        try:
            acceptable(judge(200, bytes(body[: dice.randrange(1, len(body) + 1)] if dice.random() < 0.3 else body)))
        except WindmillError as error:
            refusals.append(error.message)
    assert not any("\x00" in message for message in refusals), "PostgreSQL would not take the message"
