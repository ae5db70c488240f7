"""A delivery, read from the wire once: its job, what became of it so far, and how often it was handed out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.messages import HANDED_OUT_HEADER, Job, Past, decode, handed_out, headers_to_keep, past_of


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the headers tell, whether the body is a job or not. `handed_out` is how often the job was handed to a
    worker that settled nothing; `uncounted` when it came again from a classic queue, which says no number."""

    body: bytes
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


@dataclass(frozen=True, slots=True)
class Received(Envelope):
    """A job in hand."""

    job: Job


@dataclass(frozen=True, slots=True)
class UnreadableMessage(Envelope):
    """A body that is no job, and why."""

    message: str


def receive(body: bytes, headers: dict[str, Any], redelivered: bool, now: datetime) -> Received | UnreadableMessage:
    """Read a delivery that came at `now`."""
    past, times = past_of(headers), handed_out(headers) if headers else 0
    uncounted = _is_uncounted(headers, redelivered)
    try:
        return Received(body, headers, past, times, uncounted, decode(body, now))
    except WindmillError as error:
        return UnreadableMessage(body, headers, past, times, uncounted, error.message)


def envelope(body: bytes, headers: dict[str, Any], redelivered: bool) -> Envelope:
    """Read the headers alone, for those that only carry a message on."""
    return Envelope(body, headers, past_of(headers), handed_out(headers), _is_uncounted(headers, redelivered))


def _is_uncounted(headers: dict[str, Any], redelivered: bool) -> bool:
    return redelivered and "x-delivery-count" not in headers
