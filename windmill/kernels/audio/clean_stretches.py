"""Where one speaker alone is to be heard, for a sample of the voice."""

from collections.abc import Callable, Sequence

from windmill.kernels.audio.spans import Span, without
from windmill.kernels.audio.speaker_turns import SpeakerTurn, spans_by_speaker

MOST_SECONDS, LEAST_SECONDS = 5.0, 0.3
_STEP = 0.5
_STRETCHES = 8
Loudness = Callable[[Span], float]


def clean_stretches(turns: Sequence[SpeakerTurn], speaker: str) -> list[Span]:
    """The stretches of a speaker in which nobody else speaks, the longest first."""
    others = [turn.span for turn in turns if turn.speaker != speaker]
    own = [part for span in spans_by_speaker(turns).get(speaker, []) for part in without(span, others)]
    return sorted((part for part in own if part[1] - part[0] >= LEAST_SECONDS), key=lambda one: (one[0] - one[1], one))


def best_sample(
    turns: Sequence[SpeakerTurn], speaker: str, loudness: Loudness, most: float = MOST_SECONDS
) -> Span | None:
    """The longest of them, at most so many seconds of it; among equally long ones the loudest. None: there is none."""
    windows = [window for part in clean_stretches(turns, speaker)[:_STRETCHES] for window in _windows(part, most)]
    longest = max((end - start for start, end in windows), default=0.0)
    fit = [window for window in windows if window[1] - window[0] >= longest - 1e-6]
    return max(fit, key=loudness, default=None)


def _windows(part: Span, most: float) -> list[Span]:
    start, end = part
    if end - start <= most:
        return [part]
    count = min(12, int((end - start - most) / _STEP) + 1)
    return [(start + number * _STEP, start + number * _STEP + most) for number in range(count)]
