"""Mel spectrograms of 40 bands every 10 ms, as the voice encoder was trained with them: powers, not decibels."""

from functools import cache

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.pcm import RATE, Floats

WINDOW, HOP, BANDS = 400, 160, 40
_LINEAR_HERTZ, _BREAK_HERTZ = 200 / 3, 1_000.0
_LOG_STEP = np.log(6.4) / 27
_BREAK_MEL = _BREAK_HERTZ / _LINEAR_HERTZ


def mel_frames(sound: Floats) -> Floats:
    """A row of bands for each 10 ms, the first one centred on the first sample."""
    around = np.pad(sound, WINDOW // 2)
    count = 1 + (len(around) - WINDOW) // HOP
    frames = np.lib.stride_tricks.sliding_window_view(around, WINDOW)[::HOP][:count]
    powers = np.abs(np.fft.rfft(frames * _window(), axis=1)) ** 2
    return (powers.astype(np.float32) @ _filters().T).astype(np.float32)


@cache
def _window() -> Floats:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


@cache
def _filters() -> Floats:
    """Triangles of equal area, on Slaney's scale: linear up to 1 kHz, then logarithmic."""
    edges = _hertz(np.linspace(0.0, _mel(RATE / 2), BANDS + 2))
    bins = np.linspace(0.0, RATE / 2, WINDOW // 2 + 1)
    slopes = edges[:, None] - bins[None]
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0.0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def _mel(hertz: float) -> float:
    if hertz < _BREAK_HERTZ:
        return hertz / _LINEAR_HERTZ
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HERTZ) / _LOG_STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    high = _BREAK_HERTZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, _LINEAR_HERTZ * mels, high)
