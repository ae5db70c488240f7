"""When a message that was not taken is sent again, and when no more. Pure."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from windmill.kernels.flow.retry_backoff import retry_delay

MINUTE, HOUR = 60.0, 3_600.0
DELAYS = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR, 24 * HOUR)
"""Over four days in all."""
DISABLED_AFTER_SECONDS = 120 * HOUR
LEAST_HELD_SECONDS, MOST_HELD_SECONDS = 5.0, 5 * MINUTE
"""A receiver that takes nothing is asked so often, with one message, for all that waits."""
MOST_ASKED_SECONDS = HOUR
"""That a receiver may ask for."""
GONE = 410
_BUSY = (429, 502, 503, 504)

DeliveryStatus = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True)
class Answer:
    """What became of one try: a status, or why there is none."""

    status: int | None
    error: str | None = None
    retry_after: float | None = None
    seconds: float = 0.0

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def silent(self) -> bool:
        """Whether the receiver can probably take no other message either."""
        return self.status is None or self.status in _BUSY


class Verdict(NamedTuple):
    """What becomes of the message, and in how many seconds it is sent again."""

    status: DeliveryStatus
    delay: float = 0.0


def judge(answer: Answer, tries: int, dice: float) -> Verdict:
    """After so many tries that failed before this one; `dice` in 0..1 spreads what failed together."""
    if answer.taken:
        return Verdict("delivered")
    if tries >= len(DELAYS):
        return Verdict("failed")
    delay = retry_delay(tries + 1, DELAYS) * (0.9 + 0.2 * dice)
    return Verdict("pending", max(delay, _asked(answer)))


def held_seconds(answer: Answer, failing_seconds: float) -> float | None:
    """How long nothing else is sent to a receiver that takes nothing: the longer it has failed, the longer."""
    if answer.taken or not answer.silent:
        return None
    held = min(max(failing_seconds, LEAST_HELD_SECONDS), MOST_HELD_SECONDS)
    return max(held, _asked(answer))


def _asked(answer: Answer) -> float:
    return min(answer.retry_after or 0.0, MOST_ASKED_SECONDS)


def reason_to_disable(answer: Answer, failing_seconds: float) -> str | None:
    """Why nothing more is sent there; None if it goes on."""
    if answer.status == GONE:
        return "the receiver answered 410 Gone"
    if not answer.taken and failing_seconds >= DISABLED_AFTER_SECONDS:
        return f"it has failed for {failing_seconds / 86_400:.0f} days"
    return None
