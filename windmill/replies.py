"""Judging what a service replied: pure, and total over everything that a hostile service may send."""

import json
import re
from typing import Any

import orjson

from windmill.errors import Code, WindmillError
from windmill.outcomes import Stored

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EXCERPT = 200
# A longer time is no time; it may also be more than the column takes, and then the whole answer would be refused.
_MOST_SECONDS = 1_000_000


def judge(status: int, body: bytes) -> Stored:
    """The answer in a reply; raises a WindmillError with the code that fits anything else."""
    if status == 200:
        return _answer(body)
    if status in (429, 503):
        raise WindmillError("SERVICE_OVERLOADED", f"the service answered {status}")
    if status in (404, 405):
        raise WindmillError("SERVICE_UNREACHABLE", f"no such service at this address: it answered {status}")
    if status == 413:
        raise WindmillError("IMAGE_TOO_LARGE", "the service refused the size of the image")
    if status < 400:
        raise WindmillError("BAD_RESPONSE", f"the service answered {status}, which no service does")
    code: Code = "SERVICE_REJECTED" if status < 500 else "SERVICE_ERROR"
    raise WindmillError(code, f"the service answered {status}: {_said(body)}")


def _answer(body: bytes) -> Stored:
    envelope, text = _parsed(body)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("predictions"), list):
        raise WindmillError("BAD_RESPONSE", f"the reply has no list of predictions: {_excerpt(body)}")
    if envelope.get("status") != "success":
        raise WindmillError("SERVICE_ERROR", f"the service answered 200 but says: {_said(body)}")
    return Stored(text, _processing_time(envelope))


def _parsed(body: bytes) -> tuple[object, str]:
    """The document and its text. A clean body, which is nearly every one, is kept as it came."""
    try:
        document = orjson.loads(body)
        if b"\\u0000" not in body:
            return document, body.decode()
    except orjson.JSONDecodeError:
        pass
    return _mended(body)


def _mended(body: bytes) -> tuple[object, str]:
    """The same for bodies that are JSON to Python alone: NaN and Infinity, NUL and lone surrogates."""
    try:
        document = _clean(json.loads(body, parse_constant=lambda _: None))
        return document, orjson.dumps(document).decode()
    except (ValueError, TypeError, RecursionError) as error:
        raise WindmillError("BAD_RESPONSE", f"the reply is not JSON: {_excerpt(body)}") from error


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
    try:
        error = orjson.loads(body)["error"]
        return _excerpt((error["message"] if isinstance(error, dict) else str(error)).encode())
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError):
        return _excerpt(body)


def _excerpt(body: bytes) -> str:
    shown = body[:_EXCERPT].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return " ".join(shown.split()) or "an empty body"
