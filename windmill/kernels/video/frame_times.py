"""Times of frames, as whole numbers of ticks: rates and times as floating point drift by seconds over a film."""

from array import array
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

FINEST, USUAL = 10_000, 90_000
_LARGEST = 100_000_000
_UNEVEN = Fraction(3, 2)


def timescale(time_base: Fraction) -> int:
    """Ticks a second of the video that is made, in which every time of the source is a whole number."""
    ticks = time_base.denominator
    if ticks > _LARGEST:
        return USUAL
    while ticks < FINEST:
        ticks *= 2
    return ticks


def to_ticks(seconds: Fraction, scale: int) -> int:
    return round(seconds * scale)


def is_steady(times: Sequence[int]) -> bool:
    """Whether all frames last about as long: some containers round times, so not exactly."""
    steps = array("q", (after - before for before, after in pairwise(times)))
    return not steps or max(steps) <= min(steps) * _UNEVEN


def frame_rate(times: Sequence[int], scale: int) -> Fraction:
    """Frames a second, on average."""
    if len(times) < 2 or times[-1] <= times[0]:
        return Fraction(25)
    return Fraction((len(times) - 1) * scale, times[-1] - times[0]).limit_denominator(1_001)


def shown_at(times: Sequence[int], seen: Sequence[int]) -> list[int]:
    """For each time, which of the times `seen` is the last that is not later: what is shown until the next is seen."""
    found, place = [], 0
    for time in times:
        while place + 1 < len(seen) and seen[place + 1] <= time:
            place += 1
        found.append(place)
    return found
