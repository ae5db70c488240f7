"""Parsing a delivery: its job, the history in its headers, and its delivery count."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.messages import (
    FIRST,
    HANDED_OUT_HEADER,
    MAX_BYTES,
    History,
    Job,
    decode,
    delivery_count,
    headers_to_keep,
    history_of,
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parsed headers. `handed_out` counts earlier deliveries that no worker settled; `uncounted` marks a redelivery
    by a classic queue, which gives no count."""

    headers: dict[str, Any]
    past: History
    handed_out: int
    uncounted: bool

    def headers_to_keep(self) -> dict[str, Any]:
        """The headers that every copy of the message keeps."""
        return headers_to_keep(self.headers)

    def requeue_headers(self) -> dict[str, Any]:
        """The headers of a copy that goes back to its queue. It carries the delivery count, because the broker
        restarts at zero and a poison job would never reach the limit."""
        times = self.handed_out + self.uncounted
        return self.headers_to_keep() | ({HANDED_OUT_HEADER: times} if times else {})


MAX_BODY_BYTES = 16 * MAX_BYTES

# Most jobs have no headers and come for the first time: they share this value.
NO_ENVELOPE = Envelope({}, FIRST, 0, False)


@dataclass(frozen=True, slots=True)
class ReceivedJob:
    """A delivery with a valid job."""

    body: bytes
    envelope: Envelope
    job: Job


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """A delivery whose body is no valid job, and why."""

    body: bytes
    envelope: Envelope
    message: str


ReceivedMessage = ReceivedJob | UnreadableMessage


def read_delivery(body: bytes, headers: dict[str, Any], redelivered: bool, now: datetime) -> ReceivedMessage:
    """Parse a delivery that arrived at `now`. A body far above what a producer writes is not even read: its texts would
    be written and logged as they are."""
    read = read_envelope(headers, redelivered) if headers or redelivered else NO_ENVELOPE
    if len(body) > MAX_BODY_BYTES:
        return UnreadableMessage(body, read, f"the body has {len(body)} bytes, over {MAX_BODY_BYTES}")
    try:
        return ReceivedJob(body, read, decode(body, now))
    except WindmillError as error:
        return UnreadableMessage(body, read, error.message)


def read_envelope(headers: dict[str, Any], redelivered: bool) -> Envelope:
    """Parse the headers alone, for code that moves messages without reading them."""
    uncounted = redelivered and "x-delivery-count" not in headers
    return Envelope(headers, history_of(headers), delivery_count(headers), uncounted)
