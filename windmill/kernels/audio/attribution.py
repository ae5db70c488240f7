"""Which speaker said which word: the one whose turn has most of it, else the one who speaks nearest to it."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windmill.kernels.audio.heard_words import HeardWord
from windmill.kernels.audio.spans import common, total
from windmill.kernels.audio.speaker_turns import SpeakerTurn, label_of, spans_by_speaker


@dataclass(frozen=True)
class SaidWord:
    """A word and who said it."""

    heard: HeardWord
    speaker: str

    def document(self) -> dict[str, Any]:
        return {**self.heard.document(), "speaker": self.speaker}


@dataclass(frozen=True)
class TalkSpeaker:
    """Somebody who speaks: how often, and for how long in all."""

    label: str
    segments: int
    seconds: float


def attribute(words: Sequence[HeardWord], turns: Sequence[SpeakerTurn]) -> list[SaidWord]:
    """Each word with a speaker, in the order in which they are said. Where nobody was told apart, one speaker has said
    all of it."""
    ordered = sorted(turns, key=lambda one: one.t0)
    starts = [turn.t0 for turn in ordered]
    longest = max((turn.t1 - turn.t0 for turn in ordered), default=0.0)
    said = sorted(words, key=lambda one: (one.t0, one.t1))
    return [SaidWord(word, _speaker(word, ordered, starts, longest)) for word in said]


def _speaker(word: HeardWord, turns: Sequence[SpeakerTurn], starts: Sequence[float], longest: float) -> str:
    if not turns:
        return label_of(0)
    first, last = bisect_left(starts, word.t0 - longest), bisect_left(starts, word.t1)
    near = turns[first:last]
    best = max(near, key=lambda turn: common(turn.span, (word.t0, word.t1)), default=None)
    if best and common(best.span, (word.t0, word.t1)) > 0:
        return best.speaker
    around = [*near, *turns[max(0, first - 1) : first], *turns[last : last + 1]]
    return min(around, key=lambda turn: _distance(turn, word)).speaker


def _distance(turn: SpeakerTurn, word: HeardWord) -> float:
    middle = (word.t0 + word.t1) / 2
    return max(0.0, turn.t0 - middle, middle - turn.t1)


def speakers_of(turns: Sequence[SpeakerTurn], words: Sequence[SaidWord]) -> list[TalkSpeaker]:
    """All who speak, also those of whom no word was heard, in the order of their labels."""
    spans = spans_by_speaker(turns)
    labels = sorted({*spans, *(word.speaker for word in words)})
    counts = {label: sum(turn.speaker == label for turn in turns) for label in labels}
    return [TalkSpeaker(label, counts[label], round(total(spans.get(label, [])), 3)) for label in labels]
