"""How long to wait before the next try; the dice are handed in."""

from collections.abc import Sequence


def delay_for(failures: int, *, first: float, most: float, spread: float, dice: float) -> float:
    """Seconds after the `failures`-th failure in a row: doubling from `first` up to `most`.

    `dice` in 0..1 moves the delay by up to `spread` (a share of it) either way, so that a fleet which lost
    its broker at one moment does not come back at one moment.
    """
    doubled = first * 2.0 ** min(max(failures, 1) - 1, 32)
    return min(doubled, most) * (1 + spread * (2 * dice - 1))


def retry_delay(attempt: int, delays: Sequence[float]) -> float:
    """Seconds after the `attempt`-th try (from 1) that failed: each its own, and the last of them from there on."""
    return delays[min(attempt, len(delays)) - 1]
