"""Judging what a service replied: no I/O, and total over everything that a hostile service may send.

What is stored can be cast to jsonb, and orjson and Python's json read it.
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
# What would break a line, move the cursor of a terminal or turn the direction of a text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_EXCERPT = 200
# A longer time is no time; it may also be more than the column takes, and then the whole answer would be refused.
_MOST_SECONDS = 1_000_000
_LONGEST_WAIT = 3_600.0
# A number in jsonb ends at 16,383 digits after the point. Shorter ones than these stay below, come what may together.
_LONG_EXPONENT = re.compile(rb"[0-9][eE][-+]?[0-9]{5}")
_LONG_DIGITS = re.compile(rb"(?<![0-9])[0-9]{5000}")

_OVERLOADED = (429, 503)
_LOCKED = (401, 403, 407)
_REFUSALS: dict[int, tuple[Code, str]] = {
    404: ("SERVICE_UNREACHABLE", "no such service at this address"),
    405: ("SERVICE_UNREACHABLE", "no such service at this address"),
    408: ("SERVICE_TIMEOUT", "the service did not get the whole image in time"),
    413: ("IMAGE_TOO_LARGE", "the service refused the size of the image"),
    504: ("SERVICE_TIMEOUT", "what stands in front of the service got no answer from it in time"),
}
# Five services leave the limit of an upload to their server, and report its 413 as a fault of their own.
_HIDDEN_413 = "Internal error: 413 "


def judge(
    status: int,
    body: bytes,
    foreign: frozenset[str] = frozenset(),
    retry_after: str | None = None,
    now: datetime | None = None,
) -> Stored:
    """The answer in a reply; raises a WindmillError with the code that fits anything else.

    `foreign` are the names by which other services answer. `retry_after` is the header of that name, and `now` what
    it counts from if it is a date.
    """
    if status == 200:
        return _answer(body, foreign)
    if status in _OVERLOADED:
        wait = seconds_of(retry_after, now or datetime.now(UTC)) if retry_after else None
        raise WindmillError("SERVICE_OVERLOADED", f"the service answered {status}", retry_after=wait)
    raise _refusal(status, body, foreign)


def seconds_of(retry_after: str, now: datetime) -> float | None:
    """The wait that a Retry-After header asks for, at most an hour: it holds a number of seconds or a date."""
    if re.fullmatch("[0-9]+", retry_after):
        # The digits of a longer number are not worth reading.
        return min(float(retry_after), _LONGEST_WAIT) if len(retry_after) < 10 else _LONGEST_WAIT
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(wait.total_seconds(), _LONGEST_WAIT) if wait >= timedelta(0) else None


def _refusal(status: int, body: bytes, foreign: frozenset[str]) -> WindmillError:
    if status in _REFUSALS:
        code, words = _REFUSALS[status]
        return WindmillError(code, f"{words}: it answered {status}")
    if status == 502:
        # Down, or this very image brought it down: as with a connection that is cut, that is still to be found out.
        said = "what stands in front of the service lost it: it answered 502"
        return WindmillError("SERVICE_UNREACHABLE", said, retry="later")
    if status in _LOCKED:
        return WindmillError(
            "SERVICE_UNREACHABLE",
            f"something in front of the service lets no worker through: it answered {status}",
            "let workers through the proxy without a password, or correct host and port in SERVICE_CONFIG",
        )
    if status < 400:
        return WindmillError("BAD_RESPONSE", f"the service answered {status}, which no service does")
    _refuse_strangers(_lenient(body), foreign)
    said = _said(body)
    if status == 500 and said.startswith(_HIDDEN_413):
        return WindmillError("IMAGE_TOO_LARGE", f"the service refused the size of the image: {said}")
    whose: Code = "SERVICE_REJECTED" if status < 500 else "SERVICE_ERROR"
    return WindmillError(whose, f"the service answered {status}: {said}")


def _answer(body: bytes, foreign: frozenset[str]) -> Stored:
    envelope, text = _parsed(body)
    if not isinstance(envelope, dict):
        raise WindmillError("BAD_RESPONSE", f"the reply is no object: {_excerpt(body)}")
    _refuse_strangers(envelope, foreign)
    if envelope.get("status") == "error":
        raise WindmillError("SERVICE_ERROR", f"the service answered 200 but says: {_said(body)}")
    if envelope.get("status") != "success" or not _is_list_of_objects(envelope.get("predictions")):
        raise WindmillError("BAD_RESPONSE", f"the reply has no success with a list of predictions: {_excerpt(body)}")
    return Stored(text, _processing_time(envelope))


def _is_list_of_objects(value: object) -> bool:
    """All that reads predictions asks them for their keys: one that has none would break every reader."""
    return isinstance(value, list) and set(map(type, value)) <= {dict}


def _refuse_strangers(envelope: object, foreign: frozenset[str]) -> None:
    """Ports that were exchanged must not store one service's answers as another's, nor spoil jobs."""
    name = envelope.get("service") if isinstance(envelope, dict) else None
    if isinstance(name, str) and name in foreign:
        remedy = "correct the ports in SERVICE_CONFIG; if the service is right, correct answers_as"
        raise WindmillError("BAD_RESPONSE", f"{name} answers at this address", remedy, retry="pause")


def _parsed(body: bytes) -> tuple[object, str]:
    """The document and its text. A clean body, which is nearly every one, is kept as it came."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _mended(body)
    return _mended(body) if _only_some_can_read(body) else (document, body.decode())


def _only_some_can_read(body: bytes) -> bool:
    """Whether JSON may hold what jsonb refuses; a body that merely looks so loses nothing by being mended."""
    return (
        b"\\u0000" in body
        or (_may_hold_exponent(body) and _LONG_EXPONENT.search(body) is not None)
        or (len(body) > 5000 and _LONG_DIGITS.search(body) is not None)
    )


def _may_hold_exponent(body: bytes) -> bool:
    """A quick look before a slow one. Numbers that are too large orjson refuses; these are how others begin."""
    return b"e-" in body or b"E-" in body or b"0e" in body or b"0E" in body


def _mended(body: bytes) -> tuple[object, str]:
    """The same for bodies that are JSON to Python alone, and for what only some readers of JSON can read."""
    try:
        document = _clean(json.loads(body, parse_constant=lambda _: None, parse_int=_whole))
        return document, orjson.dumps(document).decode()
    except (ValueError, TypeError, RecursionError) as error:
        raise WindmillError("BAD_RESPONSE", f"the reply is not JSON: {_excerpt(body)}") from error


def _whole(digits: str) -> object:
    """More digits than orjson writes are kept as they are, up to the largest number that it reads.

    What is larger is null, as are fractions beyond the floats: Python reads those as infinite, orjson writes null."""
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
    if isinstance(spent, bool) or not isinstance(spent, int | float) or not 0 <= spent <= _MOST_SECONDS:
        return None
    return float(spent)


def _said(body: bytes) -> str:
    """The service's own words, where the reply holds any in one of the known places."""
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
    """The beginning of a text, fit for one line of a log or a terminal."""
    return _CONTROL.sub("\ufffd", " ".join(text[: 4 * _EXCERPT].split())[:_EXCERPT])
