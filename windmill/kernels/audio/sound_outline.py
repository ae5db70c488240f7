"""How loud a recording is over its time, in a few hundred steps: what is drawn of it."""

import numpy as np

from windmill.kernels.audio.pcm import FULL, RATE, Pcm

MOST_STEPS = 500
_STEP = RATE // 10


class SoundOutline:
    """Keeps the peak of each tenth of a second of sound that comes in pieces. Mutable."""

    def __init__(self) -> None:
        self._peaks = [np.zeros(0, np.int32)]
        self._rest: Pcm = np.zeros(0, np.int16)

    def feed(self, sound: Pcm) -> None:
        joined = np.concatenate([self._rest, sound])
        whole = len(joined) // _STEP * _STEP
        self._rest = joined[whole:]
        self._peaks.append(_peaks(joined[:whole].reshape(-1, _STEP)))

    def steps(self, most: int = MOST_STEPS) -> list[float]:
        """From 0 to 1, evenly over the whole time."""
        last = [_peaks(self._rest[np.newaxis])] if len(self._rest) else []
        peaks = np.concatenate([*self._peaks, *last])
        if len(peaks) > most:
            peaks = np.maximum.reduceat(peaks, np.arange(most) * len(peaks) // most)
        return [round(float(peak) / FULL, 3) for peak in peaks]


def _peaks(blocks: Pcm) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.asarray(np.abs(blocks.astype(np.int32)).max(axis=1, initial=0), np.int32)
