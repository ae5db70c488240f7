"""A language of tones: every word is a pitch, and every speaker hums a pitch below it. Talks in it are made and heard
in milliseconds, so what a recogniser is given can be checked by what it hears."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.pcm import RATE, Pcm, as_floats

WORDS = {
    **{"lah": 620, "lor": 760, "meh": 920, "sia": 1_120},
    **{"makan": 1_360, "kopi": 1_640, "shiok": 1_980, "alamak": 2_400},
}
HUMS = (140, 220, 330, 450)
WORD_SECONDS, PAUSE_SECONDS = 0.24, 0.14
_FRAME, _HOP = 640, 160
_LEAST_FRAMES = 6
_LEAST_POWER = 1e-4


@dataclass(frozen=True)
class ToneWord:
    """A word that was heard, with its times and the number of its speaker."""

    t0: float
    t1: float
    word: str
    speaker: int


def say(words: Iterable[str], speaker: int = 0) -> Pcm:
    """The words, each with a pause behind it."""
    pause = np.zeros(round(PAUSE_SECONDS * RATE), np.int16)
    return np.concatenate([part for word in words for part in (_tone(word, speaker), pause)])


def _tone(word: str, speaker: int) -> Pcm:
    times = np.arange(round(WORD_SECONDS * RATE)) / RATE
    sound = 0.35 * np.sin(2 * np.pi * WORDS[word] * times) + 0.25 * np.sin(2 * np.pi * HUMS[speaker] * times)
    fade = np.minimum(1.0, np.minimum(times, times[::-1]) / 0.01)
    return np.asarray(sound * fade * 32_767, np.int16)


def hear(sound: Pcm) -> list[ToneWord]:
    """All words in a recording."""
    if len(sound) < _FRAME:
        return []
    frames = np.lib.stride_tricks.sliding_window_view(as_floats(sound), _FRAME)[::_HOP]
    words, hums = _loudest(frames, list(WORDS.values())), _loudest(frames, HUMS)
    found, start = [], 0
    names = list(WORDS)
    for place in range(1, len(words) + 1):
        if place < len(words) and words[place] == words[start]:
            continue
        if words[start] >= 0 and place - start >= _LEAST_FRAMES:
            heard = hums[start:place]
            speaker = int(np.bincount(heard[heard >= 0], minlength=1).argmax())
            times = (start * _HOP + _FRAME // 2) / RATE, (place * _HOP + _FRAME // 2) / RATE
            found.append(ToneWord(*times, names[words[start]], speaker))
        start = place
    return found


def _loudest(frames: npt.NDArray[np.float32], pitches: Sequence[int]) -> npt.NDArray[np.int64]:
    """For each frame the number of the loudest pitch; -1 where there is none."""
    times = np.arange(_FRAME) / RATE
    waves = np.exp(-2j * np.pi * np.outer(times, pitches)) * np.hanning(_FRAME)[:, None]
    powers = np.abs(frames @ waves / _FRAME) ** 2
    return np.where(powers.max(1) > _LEAST_POWER, powers.argmax(1), -1)
