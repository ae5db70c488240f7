"""How long to wait before a retry: exponential backoff, fixed retry delays, and jitter. The random number is passed
in."""

from collections.abc import Sequence

JITTER_FACTORS = (0.8, 1.0, 1.2)
"""RabbitMQ can only hold jobs for fixed delays, so each delay has a shorter and a longer variant to choose from: jobs
that failed together do not return together."""


def backoff_delay(failures: int, *, first: float, maximum: float, jitter: float, dice: float) -> float:
    """Seconds to wait after the `failures`-th failure in a row: doubles from `first` up to `maximum`.

    `dice` in 0..1 moves the delay by up to `jitter` (a fraction of it) in either direction, so that a fleet that lost
    its broker at one moment does not reconnect at one moment.
    """
    doubled = first * 2.0 ** min(max(failures, 1) - 1, 32)
    return min(doubled, maximum) * (1 + jitter * (2 * dice - 1))


def retry_delay(attempt: int, delays: Sequence[float]) -> float:
    """Seconds to wait after the `attempt`-th try (from 1) failed; the last delay repeats."""
    return delays[min(attempt, len(delays)) - 1]


def jittered_delays(delay: float) -> tuple[float, ...]:
    """The variants of one retry delay, in seconds: whole milliseconds, at least one."""
    return tuple(max(round(delay * factor, 3), 0.001) for factor in JITTER_FACTORS)
