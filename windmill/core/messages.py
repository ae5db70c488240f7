"""Job messages: one image by reference, never its pixels; and the headers that carry a job's history of tries."""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from windmill.core.errors import WindmillError
from windmill.kernels.net.artifact_urls import is_artifact_url
from windmill.kernels.net.store_urls import is_store_url, shown
from windmill.kernels.text.json_readers import parse_time

SCHEMA = 1
MAX_BYTES = 4096
MAX_RECEIVED_BYTES = 65_536
"""More than any producer of ours sends: whoever sends more sends no reference to an image."""
ATTEMPT_HEADER = "windmill-attempt"
TRIES_HEADER = "windmill-tries"
OUTAGES_HEADER = "windmill-outages"
URGENT_HEADER = "windmill-urgent"
HANDED_OUT_HEADER = "windmill-handed-out"
REDRIVEN_HEADER = "windmill-redriven"
# Why a job is in the failed queue.
CODE_HEADER = "windmill-code"
REASON_HEADER = "windmill-reason"
WORKER_HEADER = "windmill-worker"
FAILED_AT_HEADER = "windmill-failed-at"
UNREADABLE_URL = "a URL without a readable host"
_MAX_FLOAT = 3.4e38  # the driver writes four bytes, though it reads eight
_MAX_COUNT = 1_000_000  # larger counts are not ours, and counting on might overflow a column or a header


@dataclass(frozen=True, slots=True)
class Job:
    """One image to process. The queue decides which service does, so all services get the same body."""

    image_id: int
    image_filename: str
    image_path: str | None
    image_url: str | None
    submitted_at: datetime
    trace_id: str | None = None

    @property
    def location(self) -> str:
        """Where the image is, safe to display: a URL loses its password and signature. Never raises, as it describes
        jobs that have failed."""
        if self.image_path or not self.image_url:
            return self.image_path or ""
        if is_artifact_url(self.image_url):
            return self.image_url
        if is_store_url(self.image_url):
            return shown(self.image_url) or UNREADABLE_URL
        try:
            parts = urlsplit(self.image_url)
            readable = parts.hostname and (parts.port is None or parts.port)
        except ValueError:
            readable = None
        if not readable:
            return UNREADABLE_URL  # a password could be anywhere in it
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def encode(job: Job) -> bytes:
    """The body of a message; raises BAD_MESSAGE if it is larger than MAX_BYTES."""
    body = orjson.dumps(
        {
            "schema": SCHEMA,
            "image_id": job.image_id,
            "image_filename": job.image_filename,
            "image_path": job.image_path,
            "image_url": job.image_url,
            "submitted_at": job.submitted_at,
            "trace_id": job.trace_id,
        }
    )
    if len(body) > MAX_BYTES:
        raise WindmillError(
            "BAD_MESSAGE",
            f"image {job.image_id} makes a message of {len(body)} bytes, over {MAX_BYTES}",
            "give the image a shorter path or URL",
        )
    return body


def decode(body: bytes, received_at: datetime) -> Job:
    """The job in a message body. Ignores unknown keys; keys with a default may be missing."""
    if len(body) > MAX_RECEIVED_BYTES:
        raise _bad(f"the body has {len(body)} bytes, over {MAX_RECEIVED_BYTES}")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad(f"the body is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise _bad("the body is not a JSON object")
    path, url = _text(document, "image_path"), _text(document, "image_url")
    if not path and not url:
        raise _bad("neither image_path nor image_url is given")
    return Job(
        image_id=_image_id(document),
        image_filename=_text(document, "image_filename") or "",
        image_path=path,
        image_url=url,
        submitted_at=_moment(document, received_at),
        trace_id=_text(document, "trace_id"),
    )


class History(NamedTuple):
    """The history of a job: which try this is, from 1; how many outages of its service started while it was in flight;
    and how many tries it was promised while the service was unreliable."""

    attempt: int = 1
    outages: int = 0
    tries: int = 0


FIRST = History()


def history_of(headers: dict[str, Any]) -> History:
    """The history in the headers of a delivery."""
    if not headers:
        return FIRST
    return History(_count(headers, ATTEMPT_HEADER) or 1, _count(headers, OUTAGES_HEADER), _count(headers, TRIES_HEADER))


def is_urgent(headers: Mapping[str, Any]) -> bool:
    """Whether a job belongs into the urgent queue of its service. The header stays with it wherever it goes."""
    return headers.get(URGENT_HEADER) is True


def delivery_count(headers: dict[str, Any]) -> int:
    """How often the job was delivered without being settled: the broker's count, plus ours where it does not count."""
    return _count(headers, "x-delivery-count") + _count(headers, HANDED_OUT_HEADER)


def _count(headers: dict[str, Any], name: str) -> int:
    count = headers.get(name, 0)
    return count if isinstance(count, int) and 0 < count <= _MAX_COUNT else 0


def headers_to_keep(headers: dict[str, Any]) -> dict[str, Any]:
    """The headers to keep when a message is published again. Drops those that the broker acts on (its own `x-` headers,
    and CC and BCC of other producers) and values that the driver reads but cannot write, such as text that is not
    UTF-8."""
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith("x-") and name not in ("CC", "BCC") and _can_be_written(value)
    }


def _can_be_written(value: object) -> bool:
    if isinstance(value, float):
        return abs(value) <= _MAX_FLOAT
    return isinstance(value, str | bool) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _image_id(document: dict[str, Any]) -> int:
    image_id = document.get("image_id")
    if isinstance(image_id, bool) or not isinstance(image_id, int) or not 0 < image_id < 2**63:
        raise _bad(f"image_id is {reprlib.repr(image_id)}, not a positive whole number")
    return image_id


def _text(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise _bad(f"{key} is {reprlib.repr(value)}, not text")
    if value and "\x00" in value:
        raise _bad(f"{key} holds a NUL character, which PostgreSQL does not take")
    return value


def _moment(document: dict[str, Any], received_at: datetime) -> datetime:
    text = _text(document, "submitted_at")
    if text is None:
        return received_at
    try:
        return parse_time(text)
    except ValueError as error:
        raise _bad(f"submitted_at is {reprlib.repr(text)}, not an RFC 3339 time") from error


def _bad(what: str) -> WindmillError:
    return WindmillError("BAD_MESSAGE", what)
