"""Samples of sound: 16 kHz, one channel, 16 bits; how loud they are, and whether they are cut off."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE = 16_000
SAMPLE_BYTES = 2
FULL = 32_768.0
SILENT = -120.0
"""Decibels below which nothing is told apart."""
_BLOCK = RATE * 4 // 10
_GATE, _BELOW_MEAN = -70.0, 10.0
_CLIPPED_AT, _CLIPPED_RUN = 32_700, 3
Pcm = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


def as_floats(sound: Pcm) -> Floats:
    """From -1 to 1."""
    return sound.astype(np.float32) / np.float32(FULL)


def decibels(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of mean squares, where 1 is a signal at its limits."""
    return 10 * np.log10(np.maximum(power, 10 ** (SILENT / 10)))


def level(sound: Pcm) -> float:
    """The decibels of a whole stretch."""
    if not len(sound):
        return SILENT
    return float(decibels(np.mean(np.square(as_floats(sound), dtype=np.float64), keepdims=True))[0])


@dataclass(frozen=True)
class SoundLevels:
    """`loudness` is that of the parts that are not silent, in decibels; `clipped` the share of samples that are cut
    off."""

    loudness: float
    peak: float
    clipped: float


class LevelMeter:
    """Measures sound that comes in pieces. Mutable."""

    def __init__(self) -> None:
        self._powers: list[npt.NDArray[np.float64]] = []
        self._rest = np.zeros(0, np.int16)
        self._peak = 0
        self._clipped = 0
        self._samples = 0

    def feed(self, sound: Pcm) -> None:
        if not len(sound):
            return
        self._samples += len(sound)
        sizes = np.abs(sound.astype(np.int32))
        self._peak = max(self._peak, int(sizes.max()))
        self._clipped += _in_runs(sizes >= _CLIPPED_AT)
        joined = np.concatenate([self._rest, sound])
        whole = len(joined) // _BLOCK * _BLOCK
        self._rest = joined[whole:]
        blocks = as_floats(joined[:whole]).reshape(-1, _BLOCK)
        self._powers.append(np.mean(np.square(blocks, dtype=np.float64), axis=1))

    def levels(self) -> SoundLevels:
        peak = float(decibels(np.array([(self._peak / FULL) ** 2]))[0])
        return SoundLevels(round(self._loudness(), 1), round(peak, 1), self._clipped / max(1, self._samples))

    def _loudness(self) -> float:
        """Silence does not count, as in EBU R 128, but the ear's curve is left out."""
        powers = np.concatenate([*self._powers, np.zeros(0)])
        heard = powers[decibels(powers) > _GATE]
        if not len(heard):
            return SILENT
        mean = decibels(np.mean(heard, keepdims=True))[0]
        return float(decibels(np.mean(heard[decibels(heard) > mean - _BELOW_MEAN], keepdims=True))[0])


def _in_runs(flags: npt.NDArray[np.bool_]) -> int:
    """How many stand beside others like them: a single sample at the limit is none that was cut off."""
    if not flags.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= _CLIPPED_RUN].sum())
