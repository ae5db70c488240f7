"""How far two recordings overlap: of two recorders in turn the second begins before the first ends, so nothing is
lost."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.pcm import Floats

_SURE = 0.5
_SHORTEST = 800
_QUIET = 1e-4


@dataclass(frozen=True)
class Overlap:
    """So many samples at the end of one recording are at the start of the next, too; `heard` tells whether that was
    measured, or only told by the recorders."""

    samples: int
    heard: bool


def overlap_of(before: Floats, after: Floats, told: int, search: int) -> Overlap:
    """The overlap within `search` samples of what was told at which the two are most alike."""
    most = min(len(before), len(after), told + search)
    least = max(_SHORTEST, told - search)
    if most <= least:
        return Overlap(max(0, min(told, len(before), len(after))), heard=False)
    lengths = np.arange(least, most + 1)
    likeness = _likeness(before[-most:], after[:most], lengths)
    best = int(np.argmax(likeness))
    if likeness[best] < _SURE:
        return Overlap(min(told, most), heard=False)
    return Overlap(int(lengths[best]), heard=True)


def _likeness(before: Floats, after: Floats, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The correlation of the last `length` samples of one with the first of the other, for each length."""
    size = len(before)
    points = 1 << (2 * size - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(before, points) * np.conj(np.fft.rfft(after, points)), points)
    together = product[(size - lengths) % points]
    of_before = np.cumsum(np.square(before[::-1], dtype=np.float64))[lengths - 1]
    of_after = np.cumsum(np.square(after, dtype=np.float64))[lengths - 1]
    floor = _QUIET**2 * lengths
    return np.where(
        np.minimum(of_before, of_after) > floor, together / np.sqrt(np.maximum(of_before * of_after, 1e-12)), 0.0
    )
