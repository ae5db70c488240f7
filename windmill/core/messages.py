"""The message that travels through the queues: one image to look at, by reference and never by pixels."""

import reprlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from windmill.core.errors import WindmillError
from windmill.kernels.text.document_readers import moment

SCHEMA = 1
MAX_BYTES = 4096
ATTEMPT_HEADER = "windmill-attempt"
TRIES_HEADER = "windmill-tries"
OUTAGES_HEADER = "windmill-outages"
HANDED_OUT_HEADER = "windmill-handed-out"
REDRIVEN_HEADER = "windmill-redriven"
# Why a job was parked.
CODE_HEADER = "windmill-code"
REASON_HEADER = "windmill-reason"
WORKER_HEADER = "windmill-worker"
FAILED_AT_HEADER = "windmill-failed-at"
_MOST_COUNTED = 1_000_000  # a greater number is none of ours, and one more might not fit into a column or a header


@dataclass(frozen=True, slots=True)
class Job:
    """One image to be looked at; which service does is the queue's matter, so all get the same body."""

    image_id: int
    image_filename: str
    image_path: str | None
    image_url: str | None
    submitted_at: datetime
    trace_id: str | None = None

    @property
    def location(self) -> str:
        """Where the image is, for people: of a URL no password and no signature."""
        if self.image_path or not self.image_url:
            return self.image_path or ""
        parts = urlsplit(self.image_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def encode(job: Job) -> bytes:
    """The body of a message; raises when it would not stay a small reference."""
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
    """The job in a message body. Unknown keys are ignored; older producers may leave out what has a default."""
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


class Past(NamedTuple):
    """What became of a job so far: which try this is, from 1; in how many outages of its service it was in hand; and
    how many tries it was promised when the service was ill."""

    attempt: int = 1
    outages: int = 0
    tries: int = 0


FIRST = Past()


def past_of(headers: dict[str, Any]) -> Past:
    """The past of a delivery."""
    if not headers:
        return FIRST
    return Past(_count(headers, ATTEMPT_HEADER) or 1, _count(headers, OUTAGES_HEADER), _count(headers, TRIES_HEADER))


def handed_out(headers: dict[str, Any]) -> int:
    """How often the job was handed to a worker that settled nothing: the broker's count, and ours where it keeps
    none."""
    return _count(headers, "x-delivery-count") + _count(headers, HANDED_OUT_HEADER)


def _count(headers: dict[str, Any], name: str) -> int:
    count = headers.get(name, 0)
    return count if isinstance(count, int) and 0 < count <= _MOST_COUNTED else 0


def headers_to_keep(headers: dict[str, Any]) -> dict[str, Any]:
    """The headers of a message that is published again, without those that the broker reads and would act on: its own
    `x-` ones, and the other queues which another producer may have named in CC; and without values that the driver
    reads but cannot write, such as text that is not UTF-8."""
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith("x-") and name not in ("CC", "BCC") and _can_be_written(value)
    }


def _can_be_written(value: object) -> bool:
    return isinstance(value, str | bool | float) or (isinstance(value, int) and -(2**63) <= value < 2**63)


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
        return moment(text)
    except ValueError as error:
        raise _bad(f"submitted_at is {reprlib.repr(text)}, not an RFC 3339 time") from error


def _bad(what: str) -> WindmillError:
    return WindmillError("BAD_MESSAGE", what)
