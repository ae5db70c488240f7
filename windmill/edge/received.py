"""A delivery, read from the wire once: its job, what became of it so far, and how often it was handed out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.messages import FIRST, HANDED_OUT_HEADER, Job, Past, decode, handed_out, headers_to_keep, past_of


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the headers tell, whether the body is a job or not. `handed_out` is how often the job was handed to a
    worker that settled nothing; `uncounted` when it came again from a classic queue, which says no number."""

    headers: dict[str, Any]
    past: Past
    handed_out: int
    uncounted: bool

    def kept(self) -> dict[str, Any]:
        """The headers that any copy of the message has."""
        return headers_to_keep(self.headers)

    def unchanged(self) -> dict[str, Any]:
        """The headers of a copy that goes back as it came. The broker counts a copy from none, so that the copy says
        itself how often the job was handed out: else one that ends workers would never be found out."""
        times = self.handed_out + self.uncounted
        return self.kept() | ({HANDED_OUT_HEADER: times} if times else {})


# Most jobs come without a header and for the first time: one value serves them all.
_PLAIN = Envelope({}, FIRST, 0, False)


@dataclass(frozen=True, slots=True)
class Received:
    """A job in hand."""

    body: bytes
    envelope: Envelope
    job: Job


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """A body that is no job, and why."""

    body: bytes
    envelope: Envelope
    message: str


AnyReceived = Received | UnreadableMessage


def receive(body: bytes, headers: dict[str, Any], redelivered: bool, now: datetime) -> AnyReceived:
    """Read a delivery that came at `now`."""
    read = envelope(headers, redelivered) if headers or redelivered else _PLAIN
    try:
        return Received(body, read, decode(body, now))
    except WindmillError as error:
        return UnreadableMessage(body, read, error.message)


def envelope(headers: dict[str, Any], redelivered: bool) -> Envelope:
    """Read the headers alone, for those that only carry a message on."""
    uncounted = redelivered and "x-delivery-count" not in headers
    return Envelope(headers, past_of(headers), handed_out(headers), uncounted)
