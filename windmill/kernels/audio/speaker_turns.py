"""Who speaks when: windows of speech with the vectors of their voices become turns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np

from windmill.kernels.audio.pcm import Floats
from windmill.kernels.audio.spans import Span, merged
from windmill.kernels.audio.speaker_clusters import ClusterRules, Labels, Voices, by_first, cluster_voices, voices_of
from windmill.kernels.audio.voice_encoder import SECONDS

HOP_SECONDS = 0.8
_CHANGED = 0.6
_SWITCH = 0.12
_JOIN_SECONDS = 0.3


@dataclass(frozen=True)
class SpeakerTurn:
    """A stretch in which one speaker speaks. Those of two speakers may overlap."""

    speaker: str
    t0: float
    t1: float

    @property
    def span(self) -> Span:
        return self.t0, self.t1

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class VoiceWindow:
    """A piece of a stretch of speech, of which a vector is made."""

    stretch: int
    span: Span


def label_of(number: int) -> str:
    return f"SPEAKER_{number:02d}"


def voice_windows(speech: Sequence[Span]) -> list[VoiceWindow]:
    """Windows of 1.6 s along each stretch; the last one ends where the stretch ends."""
    found = []
    for number, (start, end) in enumerate(speech):
        last = max(start, end - SECONDS)
        count = int(np.ceil(max(0.0, last - start) / HOP_SECONDS - 1e-6)) + 1
        for at in np.linspace(start, last, count):
            found.append(VoiceWindow(number, (float(at), min(end, float(at) + SECONDS))))
    return found


def turns_of(
    speech: Sequence[Span], windows: Sequence[VoiceWindow], vectors: Floats, rules: ClusterRules
) -> list[SpeakerTurn]:
    """The turns of all speakers, in order. Stretches are cut where the voice changes, clustered, and then each window
    is heard once more beside the voices that were found."""
    if not windows:
        return []
    parts = _same_voice(windows, vectors)
    seconds = [_seconds([windows[place] for place in part]) for part in parts]
    of_parts = _unit(np.stack([vectors[part].mean(0) for part in parts]))
    labels = cluster_voices(of_parts, seconds, rules)
    voices = voices_of(of_parts, labels, seconds)
    numbers = by_first(np.concatenate([_heard_again(vectors[part], voices) for part in _stretches(windows)]))
    return joined_turns(_turns(speech, windows, numbers))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)


def _seconds(windows: Sequence[VoiceWindow]) -> float:
    return windows[-1].span[1] - windows[0].span[0]


def _stretches(windows: Sequence[VoiceWindow]) -> list[list[int]]:
    return [list(group) for _, group in groupby(range(len(windows)), lambda place: windows[place].stretch)]


def _same_voice(windows: Sequence[VoiceWindow], vectors: Floats) -> list[list[int]]:
    """Neighbouring windows in which the voice does not change. Windows that overlap are too alike to compare."""
    parts = []
    for places in _stretches(windows):
        part = [places[0]]
        for place in places[1:]:
            before = part[-2] if len(part) > 1 else part[-1]
            after = min(place + 1, places[-1])
            if float(vectors[before] @ vectors[after]) < _CHANGED:
                parts.append(part)
                part = []
            part.append(place)
        parts.append(part)
    return parts


def _heard_again(vectors: Floats, voices: Voices) -> Labels:
    """The speaker of each window of one stretch: the likeliest sequence, in which changing costs something."""
    scores = vectors @ voices.T
    best, back = scores[0], []
    for row in scores[1:]:
        changed = float(best.max()) - _SWITCH
        back.append(np.where(best >= changed, np.arange(len(best)), int(best.argmax())))
        best = np.maximum(best, changed) + row
    path = [int(best.argmax())]
    for steps in reversed(back):
        path.append(int(steps[path[-1]]))
    return np.array(path[::-1], np.int64)


def _turns(speech: Sequence[Span], windows: Sequence[VoiceWindow], numbers: Labels) -> list[SpeakerTurn]:
    """A change lies in the middle between the centres of two windows."""
    found = []
    for places in _stretches(windows):
        start, end = speech[windows[places[0]].stretch]
        for place, following in zip(places, [*places[1:], None], strict=True):
            stop = end if following is None else _between(windows[place].span, windows[following].span)
            found.append(SpeakerTurn(label_of(int(numbers[place])), start, stop))
            start = stop
    return found


def _between(one: Span, two: Span) -> float:
    return (one[0] + one[1] + two[0] + two[1]) / 4


def joined_turns(turns: Iterable[SpeakerTurn], gap: float = _JOIN_SECONDS) -> list[SpeakerTurn]:
    """Turns of one speaker become one where nobody else speaks between them."""
    found: list[SpeakerTurn] = []
    for turn in sorted(turns, key=lambda one: (one.t0, one.t1)):
        last = found[-1] if found else None
        if last and last.speaker == turn.speaker and turn.t0 - last.t1 <= gap:
            found[-1] = SpeakerTurn(turn.speaker, last.t0, max(last.t1, turn.t1))
        else:
            found.append(turn)
    return found


def relabelled(turns: Sequence[SpeakerTurn]) -> list[SpeakerTurn]:
    """With the labels that Windmill gives, in the order in which speakers begin; whatever an engine called them."""
    ordered = sorted(turns, key=lambda one: (one.t0, one.t1))
    numbers: dict[str, int] = {}
    return [
        SpeakerTurn(label_of(numbers.setdefault(one.speaker, len(numbers))), round(one.t0, 3), round(one.t1, 3))
        for one in ordered
    ]


def spans_by_speaker(turns: Sequence[SpeakerTurn]) -> Mapping[str, list[Span]]:
    """The stretches of each speaker, none of which overlap."""
    speakers = dict.fromkeys(turn.speaker for turn in turns)
    return {one: merged(turn.span for turn in turns if turn.speaker == one) for one in speakers}
