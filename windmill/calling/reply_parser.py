"""Parsing of service replies: an answer, or a WindmillError with the code that fits. Pure, and safe for hostile input.

PostgreSQL can cast the stored text to jsonb, and both orjson and Python's json can read it.
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from windmill.core.errors import Code, WindmillError
from windmill.core.outcomes import Stored

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Characters that break a line, move a terminal's cursor or change the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_EXCERPT = 200
# A longer processing time is implausible, and a value too large for the column would lose the whole answer.
_MAX_SECONDS = 1_000_000
_MAX_WAIT_SECONDS = 3_600.0
# jsonb allows 16,383 digits after the point. Numbers below these two limits stay within that, also in combination.
_LONG_EXPONENT = re.compile(rb"[0-9][eE][-+]?[0-9]{5}")
_LONG_DIGITS = re.compile(rb"(?<![0-9])[0-9]{5000}")

_OVERLOADED = (429, 503)
_LOCKED = (401, 403, 407)
_REFUSALS: dict[int, tuple[Code, str]] = {
    404: ("SERVICE_UNREACHABLE", "no such service at this address"),
    405: ("SERVICE_UNREACHABLE", "no such service at this address"),
    408: ("SERVICE_TIMEOUT", "the service did not receive the whole image in time"),
    413: ("IMAGE_TOO_LARGE", "the service refused the size of the image"),
    504: ("SERVICE_TIMEOUT", "the proxy in front of the service got no answer from it in time"),
}
# Five services leave the upload limit to their server and report its 413 as an error of their own.
_HIDDEN_413 = "Internal error: 413 "


def parse_reply(
    status: int,
    body: bytes,
    foreign: frozenset[str] = frozenset(),
    retry_after: str | None = None,
    now: datetime | None = None,
) -> Stored:
    """The answer in a reply; raises WindmillError for anything else.

    `foreign` are the names of other services. `retry_after` is the value of that header; a date in it is relative to
    `now`.
    """
    if status == 200:
        return _answer(body, foreign)
    if status in _OVERLOADED:
        wait = parse_retry_after(retry_after, now or datetime.now(UTC)) if retry_after else None
        raise WindmillError("SERVICE_OVERLOADED", f"the service answered {status}", retry_after=wait)
    raise _refusal(status, body, foreign)


def parse_retry_after(retry_after: str, now: datetime) -> float | None:
    """Seconds to wait according to a Retry-After header, which holds seconds or a date; at most an hour."""
    if re.fullmatch("[0-9]+", retry_after):
        # A longer number is over the maximum anyway.
        return min(float(retry_after), _MAX_WAIT_SECONDS) if len(retry_after) < 10 else _MAX_WAIT_SECONDS
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(wait.total_seconds(), _MAX_WAIT_SECONDS) if wait >= timedelta(0) else None


def _refusal(status: int, body: bytes, foreign: frozenset[str]) -> WindmillError:
    if status in _REFUSALS:
        code, words = _REFUSALS[status]
        return WindmillError(code, f"{words}: it answered {status}")
    if status == 502:
        # Down, or this image crashed it: as with a broken connection, the caller has to find out.
        said = "the proxy in front of the service lost the connection to it: it answered 502"
        return WindmillError("SERVICE_UNREACHABLE", said, retry="later")
    if status in _LOCKED:
        return WindmillError(
            "SERVICE_UNREACHABLE",
            f"something in front of the service denies access to workers: it answered {status}",
            "let workers through the proxy without a password, or correct host and port in SERVICE_CONFIG",
        )
    if status < 400:
        return WindmillError("BAD_RESPONSE", f"the service answered {status}, which is not part of the contract")
    _reject_other_services(_lenient(body), foreign)
    said = _error_message(body)
    if status == 500 and said.startswith(_HIDDEN_413):
        return WindmillError("IMAGE_TOO_LARGE", f"the service refused the size of the image: {said}")
    whose: Code = "SERVICE_REJECTED" if status < 500 else "SERVICE_ERROR"
    return WindmillError(whose, f"the service answered {status}: {said}")


def _answer(body: bytes, foreign: frozenset[str]) -> Stored:
    envelope, text = _parsed(body)
    if not isinstance(envelope, dict):
        raise WindmillError("BAD_RESPONSE", f"the reply is not an object: {_excerpt(body)}")
    _reject_other_services(envelope, foreign)
    if envelope.get("status") == "error":
        raise WindmillError("SERVICE_ERROR", f"the service answered 200 with an error: {_error_message(body)}")
    if envelope.get("status") != "success" or not _is_list_of_objects(envelope.get("predictions")):
        raise WindmillError(
            "BAD_RESPONSE", f"the reply lacks the status success or a list of predictions: {_excerpt(body)}"
        )
    return Stored(text, _processing_time(envelope))


def _is_list_of_objects(value: object) -> bool:
    """Every reader of predictions expects objects: anything else would break all of them."""
    return isinstance(value, list) and set(map(type, value)) <= {dict}


def _reject_other_services(envelope: object, foreign: frozenset[str]) -> None:
    """Swapped ports must not store answers under the wrong service, and must not fail jobs."""
    name = envelope.get("service") if isinstance(envelope, dict) else None
    if isinstance(name, str) and name in foreign:
        remedy = "correct the ports in SERVICE_CONFIG; if the service is right, correct answers_as"
        raise WindmillError("BAD_RESPONSE", f"{name} answers at this address", remedy, retry="pause")


def _parsed(body: bytes) -> tuple[object, str]:
    """The document and its text. Nearly every body is clean and is kept as received."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _repaired(body)
    return _repaired(body) if _needs_repair(body) else (document, body.decode())


def _needs_repair(body: bytes) -> bool:
    """Whether the body may hold something that jsonb rejects; a false positive loses nothing by the repair."""
    return (
        b"\\u0000" in body
        or (_may_hold_exponent(body) and _LONG_EXPONENT.search(body) is not None)
        or (len(body) > 5000 and _LONG_DIGITS.search(body) is not None)
    )


def _may_hold_exponent(body: bytes) -> bool:
    """A cheap check before the regular expression. orjson rejects too large numbers; tiny ones contain one of these."""
    return b"e-" in body or b"E-" in body or b"0e" in body or b"0E" in body


def _repaired(body: bytes) -> tuple[object, str]:
    """The same for bodies that only Python's json accepts, and for values that only some JSON parsers accept."""
    try:
        document = _clean(json.loads(body, parse_constant=lambda _: None, parse_int=_integer))
        return document, orjson.dumps(document).decode()
    except (ValueError, TypeError, RecursionError) as error:
        raise WindmillError("BAD_RESPONSE", f"the reply is not JSON: {_excerpt(body)}") from error


def _integer(digits: str) -> object:
    """Integers that orjson cannot write keep their digits, up to the largest number that it reads.

    Larger ones become null, as do fractions beyond the range of floats: Python reads infinity, orjson writes null."""
    if len(digits) < 19:
        return int(digits)
    return orjson.Fragment(digits) if math.isfinite(float(digits)) else None


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value).replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def _processing_time(envelope: dict[str, Any]) -> float | None:
    metadata = envelope.get("metadata")
    spent = metadata.get("processing_time") if isinstance(metadata, dict) else None
    if isinstance(spent, bool) or not isinstance(spent, int | float) or not 0 <= spent <= _MAX_SECONDS:
        return None
    return float(spent)


def _error_message(body: bytes) -> str:
    """The error message of the service, if the reply has one in a known place."""
    envelope = _lenient(body)
    error = envelope.get("error") if isinstance(envelope, dict) else None
    words = error.get("message") if isinstance(error, dict) else error
    return (_line(words) if isinstance(words, str) else "") or _excerpt(body)


def _lenient(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _excerpt(body: bytes) -> str:
    return _line(body[: 4 * _EXCERPT].decode("utf-8", "replace")) or "an empty body"


def _line(text: str) -> str:
    """The start of a text, safe to print in one line of a log or a terminal."""
    return _CONTROL.sub("\ufffd", " ".join(text[: 4 * _EXCERPT].split())[:_EXCERPT])
