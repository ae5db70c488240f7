"""Stretches of speech out of the probability of each frame, and a detector of sound that needs no model."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from windmill.kernels.audio.pcm import RATE, Pcm, as_floats, decibels
from windmill.kernels.audio.spans import Span, merged, padded

FRAME = 512
"""Samples of a frame."""
FRAME_SECONDS = FRAME / RATE
_ABOVE_FLOOR, _LEAST_LEVEL = 9.0, -50.0
_FLOOR_FRAMES = round(60 / FRAME_SECONDS)
_FLOOR_SHARE = 10
_SOFTNESS = 3.0
Levels = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpeechRules:
    """Speech begins where its probability reaches `begins`, and goes on while it is above `goes_on`. Pauses shorter
    than `least_pause` belong to it; what is shorter than `least_speech` seconds is none."""

    begins: float = 0.5
    goes_on: float = 0.35
    least_speech: float = 0.2
    least_pause: float = 0.3
    pad: float = 0.04


def speech_spans(probabilities: npt.NDArray[np.floating], end: float, rules: SpeechRules) -> list[Span]:
    """The stretches of speech, in seconds of a recording that is so long."""
    low = np.concatenate([[False], np.asarray(probabilities) >= rules.goes_on, [False]])
    edges = np.flatnonzero(np.diff(low.astype(np.int8)))
    spans = [
        (int(start) * FRAME_SECONDS, min(end, int(stop) * FRAME_SECONDS))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
        if np.max(probabilities[start:stop]) >= rules.begins
    ]
    long_enough = [span for span in merged(spans, rules.least_pause) if span[1] - span[0] >= rules.least_speech]
    return padded(long_enough, rules.pad, end)


def frame_levels(sound: Pcm) -> Levels:
    """The decibels of each whole frame."""
    frames = as_floats(sound[: len(sound) // FRAME * FRAME]).reshape(-1, FRAME)
    return decibels(np.mean(np.square(frames, dtype=np.float64), axis=1))


def louder_than_the_rest(levels: Levels) -> Levels:
    """The probability that a frame is more than background: how far it is above what the quietest tenth of its minute
    has. Music and slamming doors are sound as well, so this is no detector of speech, only one of sound."""
    found = [_above_floor(levels[start : start + _FLOOR_FRAMES]) for start in range(0, len(levels), _FLOOR_FRAMES)]
    return np.concatenate([*found, np.zeros(0)])


def _above_floor(levels: Levels) -> Levels:
    least = max(float(np.percentile(levels, _FLOOR_SHARE)) + _ABOVE_FLOOR, _LEAST_LEVEL)
    return 1 / (1 + np.exp(-(levels - least) / _SOFTNESS))
